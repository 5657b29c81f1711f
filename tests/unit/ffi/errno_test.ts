import assert from "node:assert/strict";
import { constants } from "node:os";
import { ErrnoError, errnoName } from "../../../ffi/errno.ts";

Deno.test("errnoName() agrees with the system on every number it knows", () => {
  const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
  let known = 0;
  for (let number = 1; number < 134; number++) {
    const name = errnoName(number);
    if (name === `E${number}`) continue;
    known++;
    const systems = names.get(number);
    if (systems !== undefined && !["EWOULDBLOCK", "ENOTSUP"].includes(systems)) {
      assert.equal(name, systems);
    }
  }
  assert.ok(known > 40);
});

Deno.test("errnoName() knows libbpf's own numbers, and names unknown ones by number", () => {
  assert.equal(errnoName(524), "ENOTSUPP");
  assert.equal(errnoName(4007), "LIBBPF_ERRNO__VERIFY");
  assert.equal(errnoName(9999), "E9999");
});

Deno.test("ErrnoError says number, name and what was attempted", () => {
  const error = new ErrnoError(2, "open `x`");
  assert.equal(error.message, "open `x`: ENOENT (2)");
  assert.deepEqual([error.errno, error.code, error.attempted], [2, "ENOENT", "open `x`"]);
  assert.equal(error.name, "ErrnoError");
});
