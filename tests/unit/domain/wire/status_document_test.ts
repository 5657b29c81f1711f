import assert from "node:assert/strict";
import {
  type AggregateFacts,
  overallState,
  statusDocument,
  statusTimestamp,
} from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

const FACTS: AggregateFacts = {
  wallMs: Date.UTC(2026, 0, 6, 7, 8, 9, 120),
  version: "1.2.3",
  monitor: { status: "RUNNING", message: "m" },
  keyLatch: { status: "RUNNING", message: "m" },
  keyLatchFacts: {
    secureChannelState: "wireserver",
    keyGuid: "5b1c",
    keyIncarnationId: 2,
    wireServerRuleId: "w",
    imdsRuleId: "i",
  },
  redirector: { status: "RUNNING", message: "m" },
  listener: { status: "RUNNING", message: "m" },
  telemetry: { status: "UNKNOWN", message: "m" },
  requestCount: 12,
  connections: [{
    userName: "root",
    ip: "169.254.169.254",
    port: 80,
    processCmdLine: "curl -s",
    responseStatus: "200 OK",
    count: 3,
    userGroups: ["root"],
    processFullPath: "/usr/bin/curl",
  }],
  failedAuthentications: [],
};

interface Golden {
  readonly facts: AggregateFacts;
  readonly compact: string;
  /** Line by line. */
  readonly pretty: readonly string[];
}

const GOLDEN = ["facts", "compact", "pretty"] as const;
for (const { id, facts, compact, pretty } of readVectors<Golden>("status/documents.json", GOLDEN)) {
  Deno.test(`statusDocument() is the golden text, byte for byte: ${id}`, () => {
    assert.equal(statusDocument(facts, "compact"), compact);
    assert.equal(statusDocument(facts, "pretty"), pretty.join("\n"));
  });
}

Deno.test("statusDocument() omits what is unknown and appends extra states", () => {
  const keyLatchFacts = {
    ...FACTS.keyLatchFacts,
    keyGuid: null,
    keyIncarnationId: null,
    extra: { lastPollTime: "t" },
  };
  const document = JSON.parse(statusDocument({ ...FACTS, keyLatchFacts }, "compact"));
  assert.deepEqual(Object.keys(document.proxyAgentStatus.keyLatchStatus.states), [
    "secureChannelState",
    "wireServerRuleId",
    "imdsRuleId",
    "hostGARuleId",
    "lastPollTime",
  ]);
});

Deno.test("statusDocument() writes summary members in order, and null where nothing is known", () => {
  const shuffled = {
    processFullPath: null,
    userGroups: null,
    extra: 1,
    count: 3,
    responseStatus: "200 OK",
    processCmdLine: "c",
    port: 80,
    ip: "1.2.3.4",
    userName: "u",
  };
  const text = statusDocument({ ...FACTS, connections: [shuffled] }, "compact");
  assert.ok(text.includes(
    '[{"userName":"u","ip":"1.2.3.4","port":80,"processCmdLine":"c","responseStatus":"200 OK",' +
      '"count":3,"userGroups":null,"processFullPath":null}]',
  ));
});

Deno.test("statusDocument() cuts messages at 1024 bytes, never inside a character", () => {
  const long = (message: string) =>
    JSON.parse(statusDocument({ ...FACTS, monitor: { status: "RUNNING", message } }, "compact"))
      .proxyAgentStatus.monitorStatus.message;
  assert.equal(long("x".repeat(1024)), "x".repeat(1024));
  assert.equal(long("x".repeat(1025)), "x".repeat(1024) + "...");
  assert.equal(long("x".repeat(1022) + "€"), "x".repeat(1022) + "...");
});

Deno.test("overallState() needs key latch, redirector and listener running, and nothing else", () => {
  const stopped = { status: "STOPPED", message: "" } as const;
  assert.equal(overallState({ ...FACTS, telemetry: stopped } as AggregateFacts), "SUCCESS");
  for (const part of ["keyLatch", "redirector", "listener"]) {
    for (const status of ["STOPPED", "UNKNOWN"]) {
      assert.equal(overallState({ ...FACTS, [part]: { status, message: "" } }), "ERROR");
    }
  }
});

Deno.test("statusTimestamp() has three digits and no zone", () => {
  assert.equal(statusTimestamp(0), "1970-01-01T00:00:00.000");
});

Deno.test("statusDocument() says behind the contract's members how far the audit log reaches, once it is known", () => {
  const auditLog = { seq: 12, hash: "ab".repeat(32), keptFromSeq: 3 };
  const document = JSON.parse(statusDocument({ ...FACTS, auditLog }, "compact"));
  assert.deepEqual(document.auditLog, auditLog);
  assert.equal(Object.keys(document).at(-1), "auditLog");
  assert.ok(!("auditLog" in JSON.parse(statusDocument({ ...FACTS, auditLog: null }, "compact"))));
});

Deno.test("statusDocument() tells of the configuration behind the members of the contract", () => {
  const configuration = { status: "STOPPED", message: "kept" } as const;
  const text = statusDocument({ ...FACTS, configuration }, "compact");
  const told =
    ',"configurationStatus":{"status":"STOPPED","message":"kept"}},"proxyConnectionSummary"';
  assert.ok(text.includes(`"proxyConnectionsCount":12${told}`), text);
  assert.equal(JSON.parse(text).proxyAgentStatus.status, "SUCCESS");
});
