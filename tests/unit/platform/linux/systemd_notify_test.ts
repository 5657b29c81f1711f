import assert from "node:assert/strict";
import type { Libc } from "../../../../ffi/libc.ts";
import { SystemdNotify } from "../../../../src/platform/linux/systemd_notify.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

const TARGET = { socketName: new Uint8Array([1, 2, 3]), watchdogEveryMs: null };

Deno.test("SystemdNotify sends each word to the manager's socket", () => {
  const sent: [Uint8Array, string][] = [];
  const libc = { sendUnixDatagram: (...datagram: [Uint8Array, string]) => sent.push(datagram) };
  const notify = new SystemdNotify(libc as unknown as Libc, TARGET, new MemoryLogger());
  notify.ready();
  notify.watchdog();
  notify.status("guarding\nREADY=0");
  notify.stopping();
  assert.deepEqual(
    sent.map(([, text]) => text),
    ["READY=1", "WATCHDOG=1", "STATUS=guarding READY=0", "STOPPING=1"],
  );
  assert.ok(sent.every(([name]) => name === TARGET.socketName));
});

Deno.test("SystemdNotify does nothing where no manager listens", () => {
  const libc = { sendUnixDatagram: () => assert.fail("nobody is to be told") };
  const notify = new SystemdNotify(libc as unknown as Libc, null, new MemoryLogger());
  notify.ready();
  notify.stopping();
});

Deno.test("SystemdNotify goes on when the manager cannot be reached, and says so", () => {
  const log = new MemoryLogger();
  const libc = {
    sendUnixDatagram: () => {
      throw new Error("nobody there");
    },
  };
  new SystemdNotify(libc as unknown as Libc, TARGET, log).ready();
  assert.deepEqual(log.texts("warn"), ["service manager not reached"]);
});
