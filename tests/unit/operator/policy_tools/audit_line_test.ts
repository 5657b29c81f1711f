import assert from "node:assert/strict";
import { readAuditLine } from "../../../../src/operator/policy_tools/audit_line.ts";
import { makeCaller } from "../../agent/audit/entries.ts";
import { auditLine, callerOf, summaryLine } from "./samples.ts";

function request(line: string) {
  const read = readAuditLine(line);
  assert.equal(read.kind, "request");
  if (read.kind !== "request") throw new Error();
  return read;
}

Deno.test("readAuditLine() reads back what the agent writes", () => {
  const line = auditLine({
    caller: callerOf("alice", "/opt/x/tool", true),
    requestId: 42,
    decision: "flag",
    reason: "rule-denied",
    mode: "audit",
    ruleSetId: "rules-7",
    policyEpoch: 9,
  });
  assert.deepEqual(request(line), {
    kind: "request",
    id: 42,
    method: "GET",
    target: "/metadata/instance?api-version=2021-02-01",
    endpoint: "imds",
    claims: {
      userName: "alice",
      userGroups: ["alice"],
      processName: "tool",
      processFullPath: "/opt/x/tool",
      elevated: true,
    },
    decision: "flag",
    reason: "rule-denied",
    mode: "audit",
    policyEpoch: 9,
    ruleSetId: "rules-7",
    ts: "2026-07-22T00:00:00.000Z",
    damage: null,
  });
  assert.equal(request(line.slice(line.indexOf("{"))).id, 42, "without the header");
  assert.equal(request(`${line}\r`).id, 42);
});

Deno.test("readAuditLine() takes for unknown what was not proven, not known or cut", () => {
  const doubtful = makeCaller({
    account: null,
    exe: { kind: "unverified", shownPath: "/usr/bin/curl", doubt: "process-gone" },
  });
  assert.deepEqual(request(auditLine({ caller: doubtful })).claims, {
    userName: null,
    userGroups: [],
    processName: null,
    processFullPath: null,
    elevated: false,
  });
  const long = request(auditLine({ caller: callerOf("u".repeat(300), `/${"p".repeat(5000)}`) }));
  assert.deepEqual([long.claims.userName, long.claims.processFullPath], [null, null]);
  assert.equal(request(auditLine({ target: `/${"a".repeat(5000)}` })).damage, "cut");
  assert.equal(request(auditLine({ target: "/a?sig=[REDACTED]" })).damage, "redacted");
  assert.equal(request(auditLine({ target: "/a..." })).damage, null);
});

Deno.test("readAuditLine() reads records of others, which name no endpoint and no proof", () => {
  const record = {
    id: 1,
    method: "GET",
    url: "/a",
    ip: "168.63.129.16",
    port: 32526,
    userName: "root",
    userGroups: ["root", 7],
    processFullPath: "",
    runAsElevated: true,
  };
  const read = request(JSON.stringify(record));
  assert.equal(read.endpoint, "hostga");
  assert.deepEqual(read.claims.userGroups, ["root"]);
  assert.deepEqual([read.claims.processFullPath, read.claims.processName], [null, null]);
  assert.deepEqual([read.decision, read.ts, read.policyEpoch], [null, "", null]);
});

Deno.test("readAuditLine() reads summaries", () => {
  const read = readAuditLine(summaryLine({ firstId: 3, count: 12 }));
  assert.equal(read.kind, "repeated");
  if (read.kind !== "repeated") return;
  assert.deepEqual([read.path, read.firstId, read.count, read.endpoint], [
    "/metadata/instance",
    3,
    12,
    "imds",
  ]);
});

Deno.test("readAuditLine() leaves alone what is about no known caller, and names what is no record", () => {
  for (
    const line of [
      "",
      "   ",
      '2026 [WARN] {"notice":"lost","count":1}',
      auditLine({ caller: null, destination: null, endpoint: null }),
      '{"id":1,"method":"GET","url":"/","ip":"10.0.0.1","port":80,"userName":"a","processFullPath":"","runAsElevated":true}',
      '{"id":1,"method":"GET","url":"/","ip":"None","port":0}',
    ]
  ) {
    assert.equal(readAuditLine(line).kind, "other", line);
  }
  const [whole] = [auditLine()];
  for (
    const [line, why] of [
      ["some text", /no JSON object/],
      ["{", /^the record is not JSON: JSON_SYNTAX at offset 1/],
      [whole!.slice(0, -1), /not JSON/],
      [whole!.replace('"url"', '"uri"'), /no `url`/],
      [summaryLine().replace('"count"', '"number"'), /without path or count/],
    ] as const
  ) {
    const read = readAuditLine(line);
    assert.match(read.kind === "broken" ? read.why : "", why);
  }
});
