import assert from "node:assert/strict";
import { FakeRedirector } from "../../src/agent/redirector/fake_redirector.ts";
import { destinationKind, ENDPOINTS, type SocketAddress } from "../../src/domain/wire/endpoints.ts";
import { sampleRecord } from "../fakes/sample_request.ts";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { kernelTest } from "../kernel/machine.ts";
import { type RedirectorStand, redirectorSuite } from "./redirector.ts";

redirectorSuite("FakeRedirector", () => Promise.resolve(new FakeStand()));

/** A made-up machine whose connections go where the redirector's targets say. */
class FakeStand implements RedirectorStand {
  readonly redirector = new FakeRedirector();
  #last = 40_000;

  dial = (to: SocketAddress, uid: number) => {
    const peer = { address: "127.0.0.1", port: ++this.#last };
    const kind = destinationKind(to, ENDPOINTS);
    const isTarget = kind !== "unknown" && kind !== "listener" &&
      this.redirector.targets?.[kind] !== undefined;
    const arrives = this.redirector.intact() && (kind === "listener" || isTarget);
    if (arrives && isTarget) {
      const cookie = BigInt(this.#last);
      this.redirector.redirect(peer, sampleRecord({ cookie, uid, destination: to }));
    } else if (arrives) this.redirector.know(peer, { kind: "direct", uid });
    return Promise.resolve({
      peer: arrives ? peer : null,
      close: () => Promise.resolve(this.redirector.forget(peer)),
    });
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.redirector.detach();
  }
}

kernelTest("LinuxRedirector passes the suite, on a kernel", async (machine) => {
  const inside = new URL("redirector_inside.ts", import.meta.url).pathname;
  const { sandbox, objects } = machine;
  const covered = Deno.env.has("DENO_COVERAGE_DIR") ? ["--coverage-raw-data-only"] : [];
  const { code, stdout, stderr } = await sandbox.run([
    ...[Deno.execPath(), "test", "--allow-all", "--no-check", "--no-lock", "--cached-only"],
    ...[...covered, inside, "--", sandbox.cgroup, sandbox.folder, objects],
  ], { env: denoEnvironment() });
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /ok \| [1-9]\d* passed \| 0 failed/);
});
