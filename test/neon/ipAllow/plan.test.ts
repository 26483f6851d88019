import fc from "fast-check";
import type { IpAllowInputs } from "../../../provider/contract/kinds/ipAllow";
import type { NeonAllowedIps } from "../../../provider/contract/neonApi";
import { missing, parseEntries, textsOnList } from "../../../provider/neon/allowList/list";
import {
  afterSteps,
  changeByOthers,
  NO_CHANGE,
  patchFor,
  planEntries,
  planRemoval,
  staleEntries,
} from "../../../provider/neon/ipAllow/plan";
import { entries, lists } from "./entries";

function inputs(ips: readonly string[], changes: Partial<IpAllowInputs> = {}): IpAllowInputs {
  return {
    projectId: "p",
    ips: [...ips],
    restrictOpenProject: false,
    openRestrictedProject: false,
    ...changes,
  };
}

function listOf(ips: readonly string[], protectedBranchesOnly = true): NeonAllowedIps {
  return { ips, protectedBranchesOnly };
}

/** Permits everything, so that a property holds for every list. */
const free = { restrictOpenProject: true, openRestrictedProject: true } as const;
const some = fc.array(entries, { minLength: 1, maxLength: 6 });

describe("the plan of an up", () => {
  test("names the entries that it adds and removes, and PATCHes both fields", () => {
    const list = listOf(["198.51.100.1", "203.0.113.7"]);
    const steps = planEntries(list, inputs(["203.0.113.8", "2001:DB8::1"]), ["203.0.113.7"]);
    expect(steps).toEqual([
      { step: "remove from IP Allow", entries: ["203.0.113.7"] },
      { step: "add to IP Allow", entries: ["203.0.113.8", "2001:db8::1"] },
    ]);
    expect(patchFor(list, steps)).toEqual({
      allowed_ips: { ips: ["198.51.100.1", "203.0.113.8", "2001:db8::1"], protected_branches_only: true },
    });
  });

  test("has no steps and no PATCH where every entry is on the list", () => {
    const list = listOf(["203.0.113.7/32"]);
    expect(planEntries(list, inputs(["203.0.113.7"]), [])).toEqual([]);
    expect(patchFor(list, [])).toBeUndefined();
  });

  test("adds an entry that a wider entry covers", () => {
    expect(planEntries(listOf(["203.0.113.0/24"]), inputs(["203.0.113.7"]), [])).toEqual([
      { step: "add to IP Allow", entries: ["203.0.113.7"] },
    ]);
  });

  test("refuses to restrict an open project and says how to permit it", () => {
    expect(() => planEntries(listOf([]), inputs(["203.0.113.7"]), [])).toThrow(
      /is empty, .* set restrictOpenProject: true/,
    );
  });

  test("refuses an entry that admits every address and says how to permit it", () => {
    expect(() => planEntries(listOf(["198.51.100.1"]), inputs(["::/0"]), [])).toThrow(
      /would open project .* set openRestrictedProject: true/,
    );
  });
});

describe("the plan of a destroy", () => {
  test("removes the added entries", () => {
    const state = { ...inputs(["203.0.113.7"]), added: ["203.0.113.7"], wasOpen: false };
    expect(planRemoval(listOf(["198.51.100.1", "203.0.113.7"]), state, state.added)).toEqual([
      { step: "remove from IP Allow", entries: ["203.0.113.7"] },
    ]);
    expect(planRemoval(listOf(["198.51.100.1"]), state, state.added)).toEqual([]);
  });

  test("refuses to open a project that others had restricted and says how to permit it", () => {
    const state = { ...inputs(["203.0.113.7"]), added: ["203.0.113.7"], wasOpen: false };
    const list = listOf(["203.0.113.7"]);
    expect(() => planRemoval(list, state, state.added)).toThrow(
      /open to every address.*openRestrictedProject: true/,
    );
    for (const permission of [{ wasOpen: true }, { openRestrictedProject: true }])
      expect(afterSteps(list, planRemoval(list, { ...state, ...permission }, state.added)).ips).toEqual([]);
  });
});

describe("a change by another writer", () => {
  const planned = listOf(["198.51.100.1", "198.51.100.2", "203.0.113.7"]);
  const written = patchFor(listOf([]), [
    { step: "add to IP Allow", entries: ["198.51.100.1", "198.51.100.2", "203.0.113.8"] },
  ]);

  test("is found from the list as it was seen beside the PATCH", () => {
    const seen = listOf(["198.51.100.1", "203.0.113.7", "192.0.2.9"]);
    expect(changeByOthers(planned, seen, written)).toEqual({
      added: ["192.0.2.9"],
      removed: ["198.51.100.2"],
    });
    expect(changeByOthers(planned, listOf(seen.ips, false), written)).toMatchObject({
      protectedBranchesOnly: false,
    });
  });

  test.each([
    ["before", planned],
    ["after", listOf(["198.51.100.1", "198.51.100.2", "203.0.113.8"])],
  ])("is not found where there was none, if the list was read %s the PATCH", (_, seen) => {
    expect(changeByOthers(planned, seen, written)).toEqual({ added: [], removed: [] });
  });

  test("is repeated before the other steps, and only as far as it is missing", () => {
    const change = { added: ["192.0.2.9"], removed: ["198.51.100.2"], protectedBranchesOnly: false };
    const list = listOf(["198.51.100.2", "203.0.113.7"]);
    const steps = planEntries(list, inputs(["203.0.113.8"]), [], change);
    expect(steps).toEqual([
      { step: "repeat another writer's change", ...change },
      { step: "add to IP Allow", entries: ["203.0.113.8"] },
    ]);
    const after = afterSteps(list, steps);
    expect(after).toEqual(listOf(["203.0.113.7", "192.0.2.9", "203.0.113.8"], false));
    expect(planEntries(after, inputs(["203.0.113.8"]), [], change)).toEqual([]);
  });
});

describe("properties", () => {
  test("up keeps the list and appends the lacking entries; destroy removes exactly those", () => {
    fc.assert(
      fc.property(lists, some, fc.boolean(), (before, ips, only) => {
        const list = listOf(before, only);
        const added = missing(before, parseEntries(ips)).map(({ text }) => text);
        const after = afterSteps(list, planEntries(list, inputs(ips, free), []));
        expect(after).toEqual(listOf([...before, ...added], only));
        expect(missing(after.ips, parseEntries(ips))).toEqual([]);
        expect(planEntries(after, inputs(ips, free), [])).toEqual([]);
        const own = textsOnList(after.ips, added);
        const left = afterSteps(after, planRemoval(after, inputs(ips, free), own));
        expect(left).toEqual(list);
        expect(planRemoval(left, inputs(ips, free), own)).toEqual([]);
      }),
    );
  });

  test("whatever others add or reorder, a destroy removes as many entries as were added", () => {
    fc.assert(
      fc.property(lists, some, lists, (before, ips, foreign) => {
        const list = listOf(before);
        const added = missing(before, parseEntries(ips)).map(({ text }) => text);
        const after = afterSteps(list, planEntries(list, inputs(ips, free), []));
        const now = [...foreign, ...after.ips].reverse();
        const own = textsOnList(now, added);
        const rest = afterSteps(listOf(now), planRemoval(listOf(now), inputs(ips, free), own)).ips;
        expect(rest).toHaveLength(now.length - added.length);
        expect([...rest, ...added].sort()).toEqual([...now].sort());
      }),
    );
  });

  test("other inputs remove the entries that they no longer name", () => {
    fc.assert(
      fc.property(lists, some, some, (before, first, second) => {
        const list = listOf(before);
        const added = missing(before, parseEntries(first)).map(({ text }) => text);
        const one = afterSteps(list, planEntries(list, inputs(first, free), []));
        const stale = textsOnList(one.ips, staleEntries(inputs(second, free), added));
        const two = afterSteps(one, planEntries(one, inputs(second, free), stale));
        expect(planEntries(two, inputs(second, free), stale)).toEqual([]);
        expect(missing(two.ips, parseEntries(second))).toEqual([]);
        const kept = two.ips.slice(0, before.length);
        expect(kept).toEqual(before);
        expect(two.ips).toHaveLength(
          before.length + missing(before, parseEntries(second)).map(({ text }) => text).length,
        );
      }),
    );
  });

  test("the order of the inputs changes the order of the new entries only", () => {
    fc.assert(
      fc.property(lists, some, (before, ips) => {
        const list = listOf(before);
        const [one, other] = [ips, [...ips].reverse()].map(
          (order) => afterSteps(list, planEntries(list, inputs(order, free), [], NO_CHANGE)).ips,
        );
        expect([...(one ?? [])].sort()).toEqual([...(other ?? [])].sort());
      }),
    );
  });
});
