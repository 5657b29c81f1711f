import assert from "node:assert/strict";
import { checkDocument, selfTestFindings } from "../../../../src/operator/policy_tools/check.ts";
import { sampleItemJson, sampleStatusJson } from "./samples.ts";

function check(value: unknown) {
  return checkDocument(JSON.stringify(value), null, null);
}

Deno.test("checkDocument() finds nothing in good rules, and tells what it tested", () => {
  const report = check(sampleStatusJson({ imds: sampleItemJson() }));
  assert.deepEqual(report.findings, []);
  assert.equal(report.kind, "status");
  const [item] = report.items;
  assert.deepEqual([item?.endpoint, item?.id, item?.privileges], ["imds", "sample", 1]);
  assert.ok((item?.evaluations ?? 0) > 20);
});

Deno.test("checkDocument() tells a mistake of the form with its place", () => {
  const report = check({ imds: sampleItemJson({ rules: { privileges: [{ name: "x" }] } }) });
  assert.equal(report.kind, "rules");
  assert.deepEqual(report.findings, [{
    severity: "error",
    code: "MEMBER_MISSING",
    path: "$.imds.rules.privileges[0].path",
    message: "$.imds.rules.privileges[0].path is required",
  }]);
  const noJson = checkDocument("{", null, null);
  assert.deepEqual([noJson.kind, noJson.findings[0]?.code], [null, "JSON_SYNTAX"]);
  assert.equal(checkDocument("{}", null, null).findings[0]?.severity, "error");
});

Deno.test("checkDocument() tells unknown references and repeated names, errors first", () => {
  const rules = {
    privileges: [{ name: "p", path: "/a?b" }, { name: "p", path: "/a" }],
    roles: [{ name: "r", privileges: ["p", "q"] }],
    identities: [{ name: "i", userName: "u" }],
    roleAssignments: [
      { role: "r", identities: ["i", "j"] },
      { role: "s", identities: ["i"] },
    ],
  };
  const report = check(sampleItemJson({ rules }));
  assert.deepEqual(
    report.findings.map(({ severity, code, path }) => `${severity} ${code} ${path}`),
    [
      "error path-has-query $.rules.privileges[0].path",
      "warning duplicate-name $.rules.privileges[1].name",
      "warning unknown-identity $.rules.roleAssignments[0].identities[1]",
      "warning unknown-role $.rules.roleAssignments[1].role",
      "warning unknown-privilege $.rules.roles[0].privileges[1]",
    ],
  );
});

Deno.test("checkDocument() runs no self-test where compiling failed, and says the mistake once", () => {
  const rules = { ...sampleItemJson().rules, privileges: [{ name: "instance", path: "/a?b" }] };
  const report = check(sampleItemJson({ rules }));
  assert.deepEqual(report.findings.map(({ code }) => code), ["path-has-query"]);
  assert.equal(report.items[0]?.evaluations, null);
  const encoded = { ...rules, privileges: [{ name: "instance", path: "/a%3Fb" }] };
  assert.ok(
    check(sampleItemJson({ rules: encoded })).findings.some(({ code }) => code === "not-canonical"),
  );
});

Deno.test("checkDocument() tells missing lists, unused members and wanted local rules", () => {
  const { roles: _, ...rules } = sampleItemJson().rules;
  const id = btoa(JSON.stringify({ id: "x", useLocalFileRules: true }));
  const report = check({ imds: sampleItemJson({ rules, id }), hostga: sampleItemJson() });
  const codes = report.findings.map(({ severity, code }) => `${severity} ${code}`);
  assert.ok(codes.includes("warning list-missing"));
  assert.ok(codes.includes("warning member-unused"));
  assert.equal(codes.at(-1), "note local-rules-wanted");
});

Deno.test("selfTestFindings() tell privilege, mutation and request, and how many more there are", () => {
  const failure = {
    ruleSetId: "x",
    privilege: "p",
    mutation: "path-case",
    method: "GET",
    target: "/A",
    caller: "member",
    expected: "allow",
    actual: "deny",
  } as const;
  const report = { ruleSetId: "x", privileges: 1, evaluations: 9, failures: [failure] };
  const at = "$.imds.rules.privileges";
  assert.deepEqual(selfTestFindings({ ...report, failureCount: 3 }, "$.imds"), [
    {
      severity: "error",
      code: "self-test",
      path: at,
      message: 'privilege "p", mutation path-case: GET /A of a member gets deny, not allow',
    },
    {
      severity: "error",
      code: "self-test",
      path: at,
      message: "2 more requests did not get the verdict that they should",
    },
  ]);
  assert.equal(selfTestFindings({ ...report, failureCount: 1 }, "$").length, 1);
});
