/** Point 20 of the conformance checklist, one test for each of its clauses. Source: authorization 10. */
import assert from "node:assert/strict";
import {
  AUDIT_FILE_NAME,
  type FileAuditTrailOptions,
  WriteBudget,
} from "../../../../src/agent/audit/mod.ts";
import { redact } from "../../../../src/domain/identity/mod.ts";
import { formatHeader } from "../../../../src/runtime/log_line.ts";
import type { LogLevel } from "../../../../src/runtime/logger.ts";
import { ChainStand } from "./chain_stand.ts";
import { makeCaller, makeDenial, makeEntry } from "./entries.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const RECORD_KEYS = [
  "id",
  "method",
  "url",
  "clientIp",
  "clientPort",
  "ip",
  "port",
  "userId",
  "userName",
  "userGroups",
  "processFullPath",
  "processCmdLine",
  "runAsElevated",
  "responseStatus",
  "elapsedTime",
  "errorDetails",
];

const test = (clause: string, body: (stand: ChainStand) => void | Promise<void>) =>
  Deno.test(`checklist 20: ${clause}`, () => ChainStand.with(body));

const unlimited = { burst: 1e9, perSecond: 1e9 };
const free: Partial<FileAuditTrailOptions> = {
  budget: new WriteBudget({ refusal: unlimited, sensitive: unlimited, first: unlimited }),
};

test("record key order", (stand) => {
  stand.start().record(makeDenial());
  assert.deepEqual(Object.keys(stand.records()[1] ?? {}).slice(0, 16), RECORD_KEYS);
});

test("15-minute bucket boundary", (stand) => {
  const trail = stand.start();
  const written = () => stand.records().filter((record) => "id" in record).length;
  trail.record(makeEntry());
  stand.clock.tick(15 * MINUTE_MS - 1);
  trail.record(makeEntry());
  assert.equal(written(), 1);
  stand.clock.tick(1);
  trail.record(makeEntry());
  assert.equal(written(), 2);
});

test("4-hour expiry", (stand) => {
  const trail = stand.start();
  trail.record(makeEntry());
  stand.clock.tick(4 * HOUR_MS - 1);
  assert.equal(trail.connectionSummary()[0]?.count, 1);
  stand.clock.tick(1);
  assert.deepEqual(trail.connectionSummary(), []);
});

test("clock step back", (stand) => {
  const trail = stand.start();
  trail.record(makeEntry());
  stand.clock.jumpWall(-2 * HOUR_MS);
  trail.record(makeEntry());
  trail.record(makeDenial());
  assert.equal(stand.records().filter((record) => "id" in record).length, 2);
  const counts = trail.connectionSummary().map(({ count }) => count);
  assert.deepEqual(counts, [2, 1], "nothing is forgotten");
});

test("rotation at 10 MiB with 5 files", async (stand) => {
  const trail = stand.start(free);
  const caller = makeCaller({
    exe: { kind: "verified", path: "/" + "p".repeat(4000) },
    account: { userName: "u", groups: Array(64).fill("g".repeat(120)) },
  });
  const target = `/${"t".repeat(2000)}`;
  while (stand.logNames().length < 2) {
    for (let i = 0; i < 100; i++) trail.record(makeDenial({ caller, target }));
  }
  const line = stand.lines(stand.logNames()[0])[1]!.length + 1;
  const bytes = stand.read(stand.logNames()[0]).length;
  assert.ok(bytes >= 10_485_760 && bytes < 10_485_760 + line, `${bytes}`);
  for (let round = 0; round < 5; round++) {
    const before = stand.logNames()[0];
    while (stand.read().length < 10_485_760) trail.record(makeDenial({ caller, target }));
    stand.clock.tick(1000);
    trail.record(makeDenial({ caller, target }));
    assert.ok(stand.logNames().length <= 5);
    if (round === 4) assert.notEqual(stand.logNames()[0], before);
  }
  assert.equal(stand.logNames().length, 5);
  assert.deepEqual((await stand.verify()).findings, []);
});

test("34-character header for all levels", () => {
  const levels: LogLevel[] = ["error", "warn", "info", "debug", "trace"];
  for (const level of levels) {
    const header = formatHeader(Date.UTC(2026, 6, 22, 21, 27, 45, 120), level);
    assert.match(header, /^2026-07-22T21:27:45\.12\d \[[A-Z]+\] +$/);
    assert.equal(header.length, 34);
  }
});

test("summary counts", (stand) => {
  const trail = stand.start();
  for (let i = 0; i < 3; i++) {
    trail.record(makeEntry());
    stand.clock.tick(HOUR_MS);
  }
  trail.record(makeDenial());
  trail.record(makeEntry({ decision: "flag", reason: "not-elevated" }));
  const shown = (list: readonly { responseStatus: string; count: number }[]) =>
    list.map(({ responseStatus, count }) => [responseStatus, count]);
  assert.deepEqual(shown(trail.connectionSummary()), [["200 OK", 4], ["403 Forbidden", 1]]);
  assert.deepEqual(shown(trail.failedAuthenticationSummary()), [["403 Forbidden", 2]]);
  assert.deepEqual(Object.keys(trail.connectionSummary()[0] ?? {}), [
    "userName",
    "ip",
    "port",
    "processCmdLine",
    "responseStatus",
    "count",
    "userGroups",
    "processFullPath",
  ]);
});

test("a record whose 4096th byte splits a character is neither lost nor a failure", async (stand) => {
  const trail = stand.start(free);
  let count = 0;
  for (let shift = 0; shift < 8; shift++) {
    const text = "x".repeat(shift) + "😀ü".repeat(3000);
    for (
      const entry of [
        makeDenial({ target: `/${text}`, detail: text }),
        makeDenial({ caller: makeCaller({ commandLine: text }) }),
      ]
    ) {
      assert.equal(trail.record(entry), null);
      count++;
    }
  }
  const records = stand.records().filter((record) => "id" in record);
  assert.equal(records.length, count);
  for (const record of records) {
    assert.ok(JSON.stringify(record).isWellFormed());
    assert.ok(String(record["processCmdLine"]).length <= 256 + 3);
    assert.ok(String(record["url"]).length <= 2048 + 3);
  }
  await trail.close();
  assert.deepEqual((await stand.verify()).findings, []);
});

test("no signature or key material in the file", (stand) => {
  const secrets = {
    signature: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
    sas: "AbCdEfGh1234567890+/Ab",
    password: "hunter2hunter2",
  };
  const trail = stand.start({ redact });
  const authorization =
    `x-ms-azure-host-authorization: Azure-HMAC-SHA256 guid ${secrets.signature}`;
  trail.record(makeDenial({
    target: `/x?sig=${encodeURIComponent(secrets.sas)}`,
    canonicalTarget: `/sig=${encodeURIComponent(secrets.sas)}`,
    detail: `${authorization} password=${secrets.password};`,
  }));
  trail.record(makeEntry({ target: `/metadata/identity?sig=${secrets.password}` }));
  const text = Deno.readTextFileSync(stand.path(AUDIT_FILE_NAME));
  assert.equal(stand.records().length, 3);
  for (const secret of Object.values(secrets)) assert.ok(!text.includes(secret), secret);
  assert.ok(!text.includes(encodeURIComponent(secrets.sas)));
});
