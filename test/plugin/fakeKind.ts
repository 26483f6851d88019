import * as z from "zod";
import { define } from "../../provider/contract/definition";
import { managedBy } from "../../provider/contract/fields/names";
import { branchTarget, recordedTarget } from "../../provider/contract/fields/target";
import { filledText, group, list, text } from "../../provider/contract/fields/values";
import type { AnyKind, Run } from "../../provider/contract/kind";

/** A kind that does nothing: a shelf of books, with one field of each sort that the plugin treats in its own way. */
export const shelfDefinition = define({
  type: "Shelf",
  description: "A shelf.",
  inputs: z.strictObject({
    ...branchTarget,
    name: filledText()
      .regex(/^[a-z]+$/, "must be lower-case letters")
      .default("bemi")
      .meta({ description: "Name." }),
    books: list(text()).optional().meta({ description: "Books.", whenOmitted: "none" }),
    place: group({ room: text().default("hall").meta({ description: "Room." }) })
      .optional()
      .meta({ description: "Place.", whenOmitted: "anywhere", typeName: "ShelfPlace" }),
    after: list(text()).default([]).meta({ description: "Triggers.", triggerOnly: true }),
    lookAhead: group({ shelfManagedBy: managedBy.meta({ description: "Maker.", filledInBy: "component" }) })
      .optional()
      .meta({ description: "Look ahead.", whenOmitted: "none", filledInBy: "component" }),
    managedBy,
  }),
  outputs: z.object({
    count: z.int().meta({ description: "Number of books." }),
    weight: z.number().meta({ description: "In kilograms." }),
    username: z.string().meta({ description: "Who may take books." }),
    password: z.string().meta({ description: "What opens the shelf.", secret: true }),
    ...recordedTarget,
  }),
  replaceOn: ["projectId", "branch", "name"],
  unplanned: ({ name }) => (name === "silent" ? undefined : "This may close the library."),
});

/** Inputs of a shelf as Check completes them. */
export const SHELF = {
  projectId: "cool-darkness-123456",
  name: "novels",
  after: [],
  managedBy: "shop/production/books",
} as const;

/** Outputs of a shelf that was made. */
export const MADE = {
  count: 3,
  weight: 1.5,
  username: "reader",
  password: "open-sesame-1",
  branchId: "br-cool-sea-123456",
  branchName: "main",
  branchIsDefault: true,
  endpointId: "ep-cool-sea-123456",
} as const;

/** The handlers of a shelf, which note how they are called. */
export type FakeKind = {
  readonly [Name in "plan" | "create" | "read" | "update" | "delete"]: jest.MockedFunction<AnyKind[Name]>;
} & { find?: jest.MockedFunction<NonNullable<AnyKind["find"]>> } & Pick<AnyKind, "id" | "definition">;

/** A shelf that can be made, changed, found and removed. A test replaces what it is about. */
export function fakeKind(): FakeKind {
  return {
    definition: shelfDefinition,
    id: ({ projectId, name }) => `${String(projectId)}/${String(name)}`,
    plan: jest.fn<ReturnType<AnyKind["plan"]>, Parameters<AnyKind["plan"]>>(() =>
      Promise.resolve({ outputs: { count: 3 }, changes: ["3 books are put on the shelf: a, b and c"] }),
    ),
    create: jest.fn<ReturnType<AnyKind["create"]>, Parameters<AnyKind["create"]>>(() =>
      Promise.resolve(MADE),
    ),
    read: jest.fn<ReturnType<AnyKind["read"]>, Parameters<AnyKind["read"]>>(() =>
      Promise.resolve({ outputs: MADE }),
    ),
    update: jest.fn<ReturnType<AnyKind["update"]>, Parameters<AnyKind["update"]>>(() =>
      Promise.resolve(MADE),
    ),
    delete: jest.fn<ReturnType<AnyKind["delete"]>, Parameters<AnyKind["delete"]>>(() => Promise.resolve()),
    find: jest.fn<ReturnType<NonNullable<AnyKind["find"]>>, [string, Run]>(() =>
      Promise.resolve({
        inputs: { projectId: SHELF.projectId, name: "novels" },
        outputs: { branchId: MADE.branchId },
      }),
    ),
  };
}
