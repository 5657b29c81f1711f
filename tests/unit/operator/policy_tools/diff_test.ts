import assert from "node:assert/strict";
import type { Matching } from "../../../../src/domain/policy/mod.ts";
import { readAuditLine } from "../../../../src/operator/policy_tools/audit_line.ts";
import { MAX_CHANGES, PolicyDiff } from "../../../../src/operator/policy_tools/diff.ts";
import { diffJson, diffText } from "../../../../src/operator/policy_tools/diff_text.ts";
import { readRuleDocument } from "../../../../src/operator/policy_tools/rule_document.ts";
import { toolPolicy } from "../../../../src/operator/policy_tools/tool_policy.ts";
import { auditLine, callerOf, sampleItemJson, summaryLine } from "./samples.ts";

function policyOf(document: unknown, matching: Matching = "shadow") {
  const read = readRuleDocument(JSON.stringify(document), null);
  if (!read.ok) throw new Error(read.error.message);
  const policy = toolPolicy(read.value, matching);
  if (!policy.ok) throw new Error(policy.error);
  return policy.value;
}

function diff(before: unknown, after: unknown, audit: readonly string[] = []) {
  const comparison = new PolicyDiff(policyOf(before), policyOf(after));
  for (const line of audit) comparison.replay(readAuditLine(line));
  return comparison.finish();
}

const SAMPLE = sampleItemJson();
const withRules = (changed: Record<string, unknown>) =>
  sampleItemJson({ rules: { ...SAMPLE.rules, ...changed } });

Deno.test("PolicyDiff finds no difference between the same rules in other words", () => {
  const upper = withRules({
    privileges: [{
      name: "instance",
      path: "/Metadata/INSTANCE",
      queryParameters: { "API-version": "2021-02-01" },
    }],
  });
  const report = diff({ imds: SAMPLE }, { imds: upper });
  assert.deepEqual([report.widened, report.narrowed, report.changes], [0, 0, []]);
  assert.ok(report.generated > 30);
  assert.match(diffText(report, 10), /^no difference found\n/);
  assert.equal(diffJson(report, 10)["verdict"], "same");
});

Deno.test("PolicyDiff calls another holder widening, and says who and what", () => {
  const wider = withRules({
    identities: [...SAMPLE.rules.identities, { name: "bob", userName: "bob" }],
    roleAssignments: [{ role: "reader", identities: ["alice", "bob"] }],
  });
  const report = diff({ imds: SAMPLE }, { imds: wider });
  assert.ok(report.widened > 0);
  assert.equal(report.narrowed, 0);
  const plain = report.changes.find(({ target }) =>
    target === "/metadata/instance?api-version=2021-02-01"
  )!;
  assert.equal(plain.claims.userName, "bob");
  assert.deepEqual(plain.before, {
    verdict: "deny",
    reason: "rule-denied",
    privilege: "instance",
    identity: null,
  });
  assert.deepEqual(plain.after, {
    verdict: "allow",
    reason: "rule",
    privilege: "instance",
    identity: "bob",
  });
  assert.match(diffText(report, 10), /^WIDENED: \d+ requests pass that did not/);
  const back = diff({ imds: wider }, { imds: SAMPLE });
  assert.deepEqual([back.widened, back.narrowed], [0, report.widened]);
  assert.match(diffText(back, 10), /^NARROWED only/);
  assert.equal(diffJson(back, 10)["verdict"], "narrowed");
});

Deno.test("PolicyDiff sees each kind of widening", () => {
  const widenings: [string, unknown, unknown][] = [
    ["default access", SAMPLE, sampleItemJson({ defaultAccess: "allow" })],
    ["mode", SAMPLE, sampleItemJson({ mode: "audit" })],
    ["flag to allow", sampleItemJson({ mode: "audit" }), sampleItemJson({ mode: "disabled" })],
    [
      "path",
      SAMPLE,
      withRules({ privileges: [{ ...SAMPLE.rules.privileges[0], path: "/metadata" }] }),
    ],
    [
      "fewer constraints",
      SAMPLE,
      withRules({ privileges: [{ name: "instance", path: "/metadata/instance" }] }),
    ],
    [
      "another value",
      SAMPLE,
      withRules({
        privileges: [{ ...SAMPLE.rules.privileges[0], queryParameters: { "api-version": "x" } }],
      }),
    ],
    ["fewer selectors", SAMPLE, withRules({ identities: [{ name: "alice", userName: "alice" }] })],
    [
      "another path of the executable",
      SAMPLE,
      withRules({
        identities: [{ name: "alice", userName: "alice", exePath: "/tmp/curl" }],
      }),
    ],
    [
      "a restriction that is gone",
      sampleItemJson({ defaultAccess: "allow" }),
      sampleItemJson({ defaultAccess: "allow", rules: null }),
    ],
  ];
  for (const [name, before, after] of widenings) {
    assert.ok(diff({ imds: before }, { imds: after }).widened > 0, name);
  }
});

Deno.test("PolicyDiff tells what changed of an endpoint as a whole", () => {
  const report = diff({ imds: SAMPLE }, {
    imds: sampleItemJson({ mode: "audit", id: "other", defaultAccess: "allow" }),
    wireserver: SAMPLE,
  });
  assert.deepEqual(
    report.endpoints.map(({ endpoint, what, before, after }) =>
      `${endpoint} ${what} ${before} ${after}`
    ),
    [
      "wireserver kind built-in rules",
      "wireserver mode disabled enforce",
      "wireserver default access built-in deny",
      "wireserver rule set  sample-useLocalFileRules-false",
      "imds mode enforce audit",
      "imds default access deny allow",
      "imds rule set sample-useLocalFileRules-false other-useLocalFileRules-false",
    ],
  );
  assert.match(diffText(report, 1), /\n {2}imds: mode enforce -> audit\n/);
  assert.match(diffText(report, 1), /\nand \d+ more widened\n/);
});

Deno.test("PolicyDiff.replay() asks about the requests of a log, and counts those alike", () => {
  const caller = callerOf("zoe", "/opt/unknown/tool");
  const line = auditLine({ caller, target: "/metadata/instance/odd?x=1" });
  const report = diff({ imds: SAMPLE }, { imds: sampleItemJson({ defaultAccess: "allow" }) }, [
    line,
    line,
    auditLine({ target: `/${"a".repeat(4000)}` }),
    summaryLine({ count: 4 }),
    "broken",
  ]);
  assert.deepEqual([report.replayed, report.notReplayed], [2, 5]);
  const found = report.changes.filter(({ found }) => found === "audit");
  assert.equal(found.length, 1);
  assert.deepEqual([found[0]?.count, found[0]?.claims.userName], [2, "zoe"]);
  const text = diffText(report, 10);
  assert.match(text, /\/metadata\/instance\/odd\?x=1 \(in the audit log, 2 times\)/);
  assert.match(text, /5 requests of the audit log are not known whole/);
});

Deno.test("PolicyDiff keeps so many changes, counts all, and says where it made up too few", () => {
  const names = Array.from({ length: 400 }, (_, index) => `n${index}`);
  const rules = {
    privileges: names.map((name) => ({ name, path: `/${name}` })),
    roles: [{ name: "r", privileges: names }],
    identities: names.map((name) => ({ name, userName: name })),
    roleAssignments: [{ role: "r", identities: names }],
  };
  const none = { ...rules, roleAssignments: [] };
  const report = diff({ imds: sampleItemJson({ rules }) }, {
    imds: sampleItemJson({ rules: none }),
  });
  assert.equal(report.changes.length, MAX_CHANGES);
  assert.ok(report.narrowed > 100_000);
  assert.deepEqual(report.cutEndpoints, []);
  assert.match(diffText(report, 5), /and \d{6} more narrowed/);
  const cut = { ...report, cutEndpoints: ["imds" as const] };
  assert.match(diffText(cut, 5), /imds has more rules than requests were made up for/);
});

Deno.test("diffJson() writes callers as the claims document does", () => {
  const report = diff({ imds: SAMPLE }, { imds: sampleItemJson({ mode: "audit" }) });
  const json = JSON.parse(JSON.stringify(diffJson(report, 2)));
  assert.equal(json.verdict, "widened");
  assert.equal(json.changes.length, 2);
  assert.deepEqual(Object.keys(json.changes[0].claims), [
    "userName",
    "userGroups",
    "processName",
    "processFullPath",
    "runAsElevated",
  ]);
});
