import assert from "node:assert/strict";
import { callerFacts, kernelFacts, NOBODY } from "../../../../src/agent/audit/caller_facts.ts";
import { makeCaller } from "./entries.ts";

Deno.test("callerFacts() takes the contract's values for nobody where there is no caller", () => {
  assert.equal(callerFacts(null), NOBODY);
  assert.equal(NOBODY.userName, "empty");
  assert.equal(NOBODY.userId, 0);
  assert.equal(NOBODY.uid, null);
});

Deno.test("callerFacts() calls an unknown account `undefined`", () => {
  const facts = callerFacts(makeCaller({ account: null }));
  assert.equal(facts.userName, "undefined");
  assert.deepEqual(facts.userGroups, []);
});

Deno.test("callerFacts() cuts what a caller or an administrator may make long", () => {
  const groups = Array.from({ length: 500 }, (_, i) => `group${i}`.padEnd(300, "x"));
  const facts = callerFacts(makeCaller({
    account: { userName: "u".repeat(9999), groups },
    commandLine: "😀".repeat(9999),
    exe: { kind: "verified", path: "/" + "p".repeat(9999) },
  }));
  assert.equal(facts.userName.length, 128 + 3);
  assert.equal(facts.userGroups.length, 64);
  assert.ok(facts.userGroups.every((group) => group.length === 128 + 3));
  assert.equal(facts.processCmdLine, `${"😀".repeat(128)}...`);
  assert.equal(facts.processFullPath.length, 4096 + 3);
});

Deno.test("callerFacts() shows the path of an executable that is not proven, and says that it is not", () => {
  const doubtful = makeCaller({
    exe: { kind: "unverified", shownPath: "/opt/x", doubt: "process-gone" },
  });
  assert.equal(callerFacts(doubtful).processFullPath, "/opt/x");
  assert.equal(callerFacts(doubtful).exeVerified, false);
  assert.equal(kernelFacts(doubtful).exeDoubt, "process-gone");
});

Deno.test("kernelFacts() writes numbers that JSON cannot hold as text", () => {
  assert.deepEqual(kernelFacts(makeCaller()), {
    uid: 1000,
    gid: 100,
    pid: 4242,
    pidStartTime: "9007199254740993",
    comm: "curl",
    exeVerified: true,
    exeDoubt: null,
    exeDevIno: "8:1:1234",
    cgroup: "18446744073709551615",
    netns: "4026531840",
  });
});

Deno.test("kernelFacts() knows nothing without a caller", () => {
  assert.ok(Object.values(kernelFacts(null)).every((value) => value === null));
});

Deno.test("kernelFacts() shows the bytes of a path that is no UTF-8, and of no other", () => {
  const exe = {
    kind: "unverified",
    shownPath: "/opt/\ufffdcurl",
    doubt: "path-not-utf8",
  } as const;
  const hex = "2f6f70742fff6375726c";
  assert.equal(kernelFacts(makeCaller({ exe: { ...exe, pathHex: hex } })).exePathHex, hex);
  const long = kernelFacts(makeCaller({ exe: { ...exe, pathHex: "ff".repeat(9999) } }));
  assert.equal(long.exePathHex?.length, 8192);
  assert.ok(!("exePathHex" in kernelFacts(makeCaller({ exe }))));
  assert.ok(!("exePathHex" in kernelFacts(makeCaller())));
});
