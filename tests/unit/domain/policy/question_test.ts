import assert from "node:assert/strict";
import { claimsOf, questionOf } from "../../../../src/domain/policy/mod.ts";
import { sampleCaller } from "../sample_values.ts";
import { ALICE } from "./rule_samples.ts";

Deno.test("claimsOf() shows account, path and its last part of a proven executable", () => {
  const caller = {
    ...sampleCaller(7),
    account: { userName: "svc", groups: ["svc", "ops"] },
    exe: { kind: "verified", path: "/opt/a\\b/tool" },
  } as const;
  assert.deepEqual(claimsOf(caller), {
    userName: "svc",
    userGroups: ["svc", "ops"],
    processName: "tool",
    processFullPath: "/opt/a\\b/tool",
    elevated: false,
  });
  assert.equal(claimsOf({ ...caller, elevated: true }).elevated, true);
});

Deno.test("claimsOf() shows nothing that is not known or not proven", () => {
  const caller = {
    ...sampleCaller(7),
    account: null,
    exe: { kind: "unverified", shownPath: "/usr/bin/curl", doubt: "path-other-file" },
  } as const;
  assert.deepEqual(claimsOf(caller), {
    userName: null,
    userGroups: [],
    processName: null,
    processFullPath: null,
    elevated: false,
  });
});

Deno.test("claimsOf() finds the last part of a Windows path when told so", () => {
  const caller = { ...sampleCaller(7), exe: { kind: "verified", path: "C:\\x/y\\z.exe" } } as const;
  assert.equal(claimsOf(caller, "windows").processName, "z.exe");
  assert.equal(claimsOf(caller).processName, "y\\z.exe");
});

Deno.test("questionOf() splits the target and drops its fragment", () => {
  assert.deepEqual(questionOf("PUT", "/a/b?c=d?e#f", ALICE), {
    method: "PUT",
    target: "/a/b?c=d?e",
    path: "/a/b",
    query: "c=d?e",
    claims: ALICE,
  });
  assert.equal(questionOf("GET", "/a", ALICE).query, null);
});
