import assert from "node:assert/strict";
import { NOTIFY_MESSAGES, readNotifyTarget } from "../../../src/runtime/service_notify.ts";

const read = (variables: Record<string, string>) => readNotifyTarget((name) => variables[name], 42);
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

Deno.test("readNotifyTarget() is null without a manager", () => {
  assert.equal(read({}), null);
  assert.equal(read({ NOTIFY_SOCKET: "" }), null);
});

Deno.test("readNotifyTarget() takes paths as they are and abstract names with a zero byte", () => {
  assert.equal(textOf(read({ NOTIFY_SOCKET: "/run/notify" })?.socketName), "/run/notify");
  assert.equal(textOf(read({ NOTIFY_SOCKET: "@/org/x" })?.socketName), "\0/org/x");
});

Deno.test("readNotifyTarget() refuses other address families and names that do not fit", () => {
  for (const address of ["vsock:2:1", "relative", "/", "@", `/${"x".repeat(107)}`]) {
    assert.equal(read({ NOTIFY_SOCKET: address }), null, address);
  }
  assert.notEqual(read({ NOTIFY_SOCKET: `/${"x".repeat(106)}` }), null);
});

Deno.test("readNotifyTarget() asks for a sign of life at half the manager's interval", () => {
  const socket = { NOTIFY_SOCKET: "/run/notify" };
  const every = (more: Record<string, string>) => read({ ...socket, ...more })?.watchdogEveryMs;
  assert.equal(every({}), null);
  assert.equal(every({ WATCHDOG_USEC: "30000000" }), 15_000);
  assert.equal(every({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "42" }), 15_000);
  assert.equal(every({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "43" }), null);
  for (const bad of ["", "0", "-1", "x", "1e400"]) {
    assert.equal(every({ WATCHDOG_USEC: bad }), null);
  }
});

Deno.test("NOTIFY_MESSAGES.status() cannot smuggle another assignment in", () => {
  assert.equal(NOTIFY_MESSAGES.status("a\nSTOPPING=1"), "STATUS=a STOPPING=1");
  assert.equal(NOTIFY_MESSAGES.ready, "READY=1");
});
