import assert from "node:assert/strict";
import { BatchAnswerer, errorAnswer } from "../../../../src/operator/policy_tools/batch.ts";
import { sampleItemJson } from "./samples.ts";

const ALICE = {
  userName: "alice",
  userGroups: ["users"],
  processName: "curl",
  processFullPath: "/usr/bin/curl",
  runAsElevated: false,
};

function question(overrides: Record<string, unknown> = {}) {
  return {
    item: sampleItemJson(),
    endpoint: "imds",
    method: "GET",
    target: "/metadata/instance?api-version=2021-02-01",
    caller: ALICE,
    ...overrides,
  };
}

function ask(overrides: Record<string, unknown> = {}, answerer = new BatchAnswerer("shadow")) {
  return JSON.parse(answerer.answer(JSON.stringify(question(overrides))));
}

Deno.test("BatchAnswerer.answer() gives exactly the members of the format, in their order", () => {
  assert.equal(
    new BatchAnswerer("shadow").answer(JSON.stringify(question())),
    '{"compat":"allow","canonical":"allow","verdict":"allow","reason":"rule",' +
      '"privilege":"instance","identity":"alice"}',
  );
});

Deno.test("BatchAnswerer.answer() tells each kind of decision", () => {
  const row = (overrides: Record<string, unknown>) => Object.values(ask(overrides)).join(" ");
  const audit = sampleItemJson({ mode: "Audit" });
  assert.equal(
    row({ caller: { ...ALICE, userName: "bob" } }),
    "deny deny deny rule-denied instance ",
  );
  assert.equal(row({ target: "/other" }), "deny deny deny default-denied  ");
  assert.equal(row({ item: audit, target: "/other" }), "deny deny flag default-denied  ");
  assert.equal(
    row({ item: sampleItemJson({ mode: "disabled" }), target: "/other" }),
    "allow allow allow disabled  ",
  );
  assert.equal(
    row({ item: sampleItemJson({ defaultAccess: "Allow" }), target: "/other" }),
    "allow allow allow default-access  ",
  );
  assert.equal(row({ endpoint: "wireserver" }), "allow allow deny not-elevated instance alice");
  assert.equal(
    row({ endpoint: "hostga", caller: { ...ALICE, runAsElevated: true } }),
    "allow allow allow rule instance alice",
  );
  const upload = { endpoint: "wireserver", method: "PUT", target: "/vmAgentLog" };
  assert.equal(
    row({ ...upload, caller: { runAsElevated: true } }),
    "deny deny allow exempt-elevated  ",
  );
  assert.equal(row({ item: null }), "allow allow allow built-in  ");
  assert.equal(row({ item: null, endpoint: "wireserver" }), "allow allow deny not-elevated  ");
  assert.equal(
    row({ target: "/metadata/instance%00?api-version=2021-02-01" }),
    "allow CANON_CTRL allow rule instance alice",
  );
  assert.equal(
    row({ method: "CONNECT" }),
    "allow CANON_METHOD deny method-not-allowed instance alice",
  );
  assert.equal(row({ target: "/a/../b" }), "deny deny deny path-traversal  ");
});

Deno.test("BatchAnswerer.answer() counts the matching of the line, or its own", () => {
  const target = "/metadata/instances?api-version=2021-02-01";
  assert.equal(ask({ target }).verdict, "allow");
  assert.equal(ask({ target, matching: "enforce" }).reason, "matchers-disagree");
  const strict = new BatchAnswerer("enforce");
  assert.equal(ask({ target }, strict).verdict, "deny");
  assert.equal(ask({ target, matching: "compat" }, strict).verdict, "allow");
});

Deno.test("BatchAnswerer.answer() takes claims that are absent or null for unknown", () => {
  for (const caller of [{}, { userName: null, userGroups: null, runAsElevated: null, pid: 7 }]) {
    assert.equal(ask({ caller }).reason, "rule-denied");
  }
  const nobody = sampleItemJson();
  nobody.rules.identities = [{ name: "alice", processName: "" } as never];
  assert.equal(ask({ item: nobody, caller: {} }).verdict, "deny");
  assert.equal(ask({ item: nobody, caller: { processName: "" } }).verdict, "allow");
});

Deno.test("BatchAnswerer.answer() answers a line that it cannot understand with the place, and goes on", () => {
  const answerer = new BatchAnswerer("shadow");
  const bad = (overrides: Record<string, unknown>) => ask(overrides, answerer).error;
  assert.equal(JSON.parse(answerer.answer("{")).error, "not JSON at offset 1");
  assert.equal(JSON.parse(answerer.answer("")).error, "the line is no JSON object");
  assert.equal(JSON.parse(answerer.answer("{}")).error, "$.item is required");
  for (const name of ["item", "endpoint", "method", "target", "caller"]) {
    assert.equal(bad({ [name]: undefined }), `$.${name} is required`);
  }
  assert.match(
    bad({ item: sampleItemJson({ mode: "foo" }) }),
    /^\$\.item\.mode is "foo", must be /,
  );
  assert.match(bad({ item: 7 }), /^\$\.item is 7, must be an object/);
  assert.match(
    bad({ endpoint: "IMDS" }),
    /^\$\.endpoint is "IMDS", must be wireserver, imds, hostga/,
  );
  assert.equal(bad({ method: 1 }), "$.method must be a string");
  assert.equal(bad({ target: null }), "$.target must be a string");
  assert.equal(bad({ caller: [] }), "$.caller must be an object");
  assert.equal(bad({ caller: { userName: 1 } }), "$.caller.userName must be a string");
  assert.equal(
    bad({ caller: { userGroups: [1] } }),
    "$.caller.userGroups must be an array of strings",
  );
  assert.equal(
    bad({ caller: { runAsElevated: 1 } }),
    "$.caller.runAsElevated must be true or false",
  );
  assert.match(bad({ matching: "off" }), /^\$\.matching is "off"/);
  const text = JSON.stringify(question());
  assert.match(
    JSON.parse(answerer.answer(text.replace('"mode":', '"mode":"audit","mode":'))).error,
    /^member occurs twice at \$\.item\.mode/,
  );
  assert.match(
    JSON.parse(answerer.answer(text.replace('"item":', '"note":tru,"item":'))).error,
    /^not JSON at \$\.note/,
  );
  assert.equal(ask({ note: [1] }, answerer).verdict, "allow");
  assert.equal(JSON.parse(errorAnswer("x".repeat(1000))).error.length, 401);
});

Deno.test("BatchAnswerer.answer() refuses an item whose grants cannot all be indexed", () => {
  const names = Array.from({ length: 1100 }, (_, index) => `i${index}`);
  const item = sampleItemJson({
    rules: {
      privileges: names.map((name) => ({ name, path: "/m" })),
      roles: names.map((name) => ({ name, privileges: [name] })),
      identities: names.map((name) => ({ name, userName: name })),
      roleAssignments: names.map((name, index) => ({
        role: name,
        identities: names.filter((_, other) => other !== index),
      })),
    },
  });
  assert.match(ask({ item }).error, /multiply to more than/);
});

Deno.test("BatchAnswerer.answer() decodes escapes in method and target", () => {
  const text = JSON.stringify(question()).replace('"GET"', '"\\u0047ET"').replace(
    '"/metadata',
    '"\\/metadata',
  );
  assert.equal(JSON.parse(new BatchAnswerer("shadow").answer(text)).verdict, "allow");
});

Deno.test("BatchAnswerer.answer() answers the same whether it has seen item and caller before or not", () => {
  const kept = new BatchAnswerer("shadow");
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 1500; index++) {
      const line = JSON.stringify(question({
        item: sampleItemJson({ id: `rules-${index}`, defaultAccess: index % 2 ? "allow" : "deny" }),
        caller: { ...ALICE, userName: index % 3 ? "alice" : `user-${index}` },
        target: index % 5 ? "/metadata/instance?api-version=2021-02-01" : "/other",
      }));
      const fresh = index % 100 === 0 ? new BatchAnswerer("shadow").answer(line) : null;
      const answer = kept.answer(line);
      if (fresh !== null) assert.equal(answer, fresh);
      assert.equal(JSON.parse(answer).error, undefined);
    }
  }
});
