import { PassThrough } from "node:stream";
import type { WriteStream } from "node:tty";
import { Cleanup } from "../../tools/start/cleanup";
import { describeFailure } from "../../tools/start/failure";
import { Interrupted, Steps } from "../../tools/start/steps";
import { secret } from "../../provider/contract/secrets";
import { UserError } from "../../provider/contract/errors";

function recorded(): { steps: Steps; interruption: AbortController; text: () => string } {
  const out = new PassThrough();
  const interruption = new AbortController();
  let text = "";
  out.on("data", (chunk: Buffer) => (text += chunk.toString()));
  // The stream is not a terminal, as with a pipe.
  const steps = new Steps(out as unknown as WriteStream, interruption.signal);
  return { steps, interruption, text: () => text };
}

describe("steps without a terminal", () => {
  it("print one line each, with result and time", async () => {
    const { steps, text } = recorded();
    const result = await steps.run(
      "Sandbox",
      (progress) => {
        progress("starting");
        return Promise.resolve(17);
      },
      (version) => `Sandbox: PostgreSQL ${version}`,
    );
    expect(result).toBe(17);
    expect(text()).toMatch(/^✔ Sandbox: PostgreSQL 17 +0\.\d s\n$/);
    expect(text()).toHaveLength(81);
  });

  it("mark the failed step and throw its error", async () => {
    const { steps, text } = recorded();
    const failing = steps.run(
      "Sandbox",
      () => Promise.reject(new UserError("no port is free")),
      () => "",
    );
    await expect(failing).rejects.toThrow("no port is free");
    expect(text()).toMatch(/^✖ Sandbox +0\.\d s\n$/);
  });

  it("end at once when the run is interrupted, before or during the step", async () => {
    const { steps, interruption } = recorded();
    const endless = steps.run(
      "Sandbox",
      () => new Promise<never>(() => undefined),
      () => "",
    );
    interruption.abort();
    await expect(endless).rejects.toThrow(Interrupted);
    await expect(
      steps.run(
        "More",
        () => new Promise<never>(() => undefined),
        () => "",
      ),
    ).rejects.toThrow(Interrupted);
  });
});

describe("the clean-up", () => {
  it("runs tasks in reverse order, once, and continues after a failure", async () => {
    const cleanup = new Cleanup();
    const done: string[] = [];
    cleanup.add(() => {
      done.push("sandbox");
      return Promise.resolve();
    });
    cleanup.add(() => Promise.reject(new Error("busy")));
    cleanup.add(() => {
      done.push("stack");
      return Promise.resolve();
    });
    expect(await cleanup.run()).toEqual([new Error("busy")]);
    expect(await cleanup.run()).toEqual([]);
    expect(done).toEqual(["stack", "sandbox"]);
  });
});

describe("describeFailure", () => {
  it("returns the message of an error to act on, and the stack of a bug", () => {
    expect(describeFailure(new UserError("The port is taken."))).toBe("The port is taken.");
    expect(describeFailure(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))).toBe(
      "connect ECONNREFUSED",
    );
    expect(describeFailure(new TypeError("x is undefined"))).toMatch(/TypeError: x is undefined\n +at /);
  });

  it("replaces secrets", () => {
    secret("s3cret-of-the-owner");
    expect(describeFailure(new UserError("login with s3cret-of-the-owner"))).toBe("login with [secret]");
    expect(describeFailure("postgresql://bemi:hunter22@localhost/neondb")).not.toContain("hunter22");
  });
});
