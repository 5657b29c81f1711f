import assert from "node:assert/strict";
import { parseStrictJson } from "../../../../src/domain/wire/mod.ts";
import { claimsOfJson } from "../../../../src/operator/policy_tools/claims_document.ts";

function read(value: unknown) {
  const parsed = parseStrictJson(JSON.stringify(value));
  assert.ok(parsed.ok);
  return claimsOfJson(parsed.value, "$");
}

Deno.test("claimsOfJson() reads claims, and leaves unknown what is absent or null", () => {
  const whole = {
    userName: "alice",
    userGroups: ["a", "b"],
    processName: "curl",
    processFullPath: "/usr/bin/curl",
  };
  assert.deepEqual(read({ ...whole, runAsElevated: true, userId: 7 }), {
    ok: true,
    value: { ...whole, elevated: true },
  });
  const unknown = {
    userName: null,
    userGroups: [],
    processName: null,
    processFullPath: null,
    elevated: false,
  };
  assert.deepEqual(read({}), { ok: true, value: unknown });
  assert.deepEqual(read({ userName: null, userGroups: null }), { ok: true, value: unknown });
});

Deno.test("claimsOfJson() names the member that has the wrong type", () => {
  for (
    const [value, error] of [
      [[], "$ must be an object"],
      ["x", "$ must be an object"],
      [{ processName: 1 }, "$.processName must be a string"],
      [{ processFullPath: [] }, "$.processFullPath must be a string"],
      [{ userGroups: "a" }, "$.userGroups must be an array of strings"],
      [{ userGroups: {} }, "$.userGroups must be an array of strings"],
      [{ runAsElevated: "true" }, "$.runAsElevated must be true or false"],
    ] as const
  ) {
    assert.deepEqual(read(value), { ok: false, error });
  }
});
