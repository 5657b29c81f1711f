import assert from "node:assert/strict";
import { Fd } from "../../../ffi/handle.ts";

Deno.test("Fd is closed once, however often it is disposed of", () => {
  const closed: number[] = [];
  const fd = new Fd(7, (number) => closed.push(number));
  assert.equal(fd.number, 7);
  fd[Symbol.dispose]();
  fd[Symbol.dispose]();
  assert.deepEqual(closed, [7]);
});

Deno.test("Fd cannot be used after it was closed", () => {
  const fd = new Fd(0, () => {});
  assert.equal(fd.number, 0);
  assert.equal(fd.isOpen, true);
  fd[Symbol.dispose]();
  assert.equal(fd.isOpen, false);
  assert.throws(() => fd.number, /closed descriptor/);
});
