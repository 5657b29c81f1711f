import assert from "node:assert/strict";
import { callerFacts } from "../../../../src/agent/audit/caller_facts.ts";
import type { AuditEntry } from "../../../../src/agent/audit/mod.ts";
import {
  connectionText,
  noticeText,
  recordText,
  shownTarget,
} from "../../../../src/agent/audit/record_text.ts";
import { redact } from "../../../../src/domain/identity/mod.ts";
import { makeCaller, makeDenial, makeEntry } from "./entries.ts";

const WALL_MS = Date.UTC(2026, 6, 22, 21, 27, 45, 123);
const plain = (text: string) => text;
const textOf = (entry: AuditEntry, secrets = plain) =>
  recordText(entry, callerFacts(entry.caller), WALL_MS, secrets);

Deno.test("recordText() has the contract's members first, in the contract's order", () => {
  const entry = makeEntry({ client: { address: "127.128.0.1", port: 40_001 } });
  const record = JSON.parse(textOf(entry));
  assert.deepEqual(Object.keys(record).slice(0, 16), [
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
  ]);
  assert.deepEqual(Object.values(record).slice(0, 16), [
    1,
    "GET",
    "/metadata/instance?api-version=2021-02-01",
    "127.128.0.1",
    40_001,
    "169.254.169.254",
    80,
    1000,
    "azureuser",
    ["azureuser", "docker"],
    "/usr/bin/curl",
    "curl -s http://169.254.169.254/",
    false,
    "200 OK",
    1,
    "",
  ]);
});

Deno.test("recordText() adds verdict, policy and the kernel's facts", () => {
  const record = JSON.parse(textOf(makeDenial()));
  assert.equal(record.ts, "2026-07-22T21:27:45.123Z");
  assert.equal(record.decision, "deny");
  assert.equal(record.reason, "not-elevated");
  assert.equal(record.mode, "enforce");
  assert.equal(record.policyEpoch, 7);
  assert.equal(record.endpoint, "imds");
  assert.equal(record.signed, false);
  assert.equal(record.elapsedUs, 1235);
  assert.equal(record.uid, 1000);
  assert.equal(record.gid, 100);
  assert.equal(record.errorDetails, "caller is not root");
});

Deno.test("recordText() says which rule decided and what the two matchers said", () => {
  const entry = makeEntry({
    ruleSetId: "/PROFILES/WEB/VERSIONS/1.2.0",
    privilege: "instance-read",
    identity: "ops",
    canonicalTarget: "/metadata/instance?api-version=2021-02-01",
    compat: "allow",
    canonical: "deny",
  });
  const record = JSON.parse(textOf(entry));
  assert.equal(record.ruleSetId, "/PROFILES/WEB/VERSIONS/1.2.0");
  assert.equal(record.matchedPrivilege, "instance-read");
  assert.equal(record.matchedIdentity, "ops");
  assert.equal(record.canonPath, "/metadata/instance");
  assert.equal(record.compat, "allow");
  assert.equal(record.canonical, "deny");
  assert.equal(record.canonError, null);
  const refused = JSON.parse(textOf(makeDenial({ canonicalTarget: null, canonCode: "CANON_PCT" })));
  assert.equal(refused.canonError, "CANON_PCT");
  assert.equal(refused.canonPath, null);
  assert.equal(refused.ruleSetId, null);
});

Deno.test("recordText() cuts what rules are called, and shows no secret of a canonical path", () => {
  const record = JSON.parse(textOf(
    makeEntry({
      ruleSetId: "r".repeat(9000),
      privilege: "p".repeat(9000),
      identity: "i".repeat(9000),
      canonicalTarget: "/x/sig=AbCdEfGh1234567890",
    }),
    () => "REDACTED",
  ));
  assert.equal(record.ruleSetId.length, 512 + 3);
  assert.equal(record.matchedPrivilege.length, 128 + 3);
  assert.equal(record.matchedIdentity.length, 128 + 3);
  assert.equal(record.canonPath, "REDACTED");
});

Deno.test("recordText() is never so long that the file would cut it", () => {
  const long = "\u0001".repeat(100_000);
  const text = textOf(makeDenial({
    method: long,
    target: long,
    detail: long,
    ruleSetId: long,
    privilege: long,
    identity: long,
    canonicalTarget: long,
    canonCode: long,
    canonical: long,
    caller: makeCaller({
      commandLine: long,
      exe: { kind: "unverified", shownPath: long, doubt: "path-not-utf8" },
      account: { userName: long, groups: Array(1000).fill(long) },
      record: { comm: long },
    }),
  }));
  assert.ok(text.length + 34 < 128 * 1024, `${text.length}`);
});

Deno.test("recordText() has the contract's values for nobody without caller and destination", () => {
  const record = JSON.parse(textOf(makeEntry({ caller: null })));
  assert.equal(record.ip, "None");
  assert.equal(record.port, 0);
  assert.equal(record.userName, "empty");
  assert.equal(record.uid, null);
});

Deno.test("recordText() is one line of plain characters, whatever the caller sends", () => {
  const nasty = 'x\r\n2026 [INFO] {"id":1}\0\x1b[2J\x7f\x9b\u2028\u202e\ud800';
  const entry = makeDenial({
    method: nasty,
    target: `/${nasty}`,
    detail: nasty,
    caller: makeCaller({
      commandLine: nasty,
      exe: { kind: "unverified", shownPath: nasty, doubt: "path-not-utf8" },
      account: { userName: nasty, groups: [nasty] },
      record: { comm: nasty },
    }),
  });
  const text = textOf(entry);
  assert.ok(/^[\x20-\x7e]*$/.test(text), text);
  assert.equal(JSON.parse(text).processCmdLine, nasty);
});

Deno.test("recordText() is bounded, whatever the caller sends, and cuts between characters", () => {
  const long = "😀".repeat(200_000);
  const record = JSON.parse(textOf(makeDenial({
    method: long,
    target: long,
    detail: long,
    caller: makeCaller({ commandLine: long, record: { comm: long } }),
  })));
  assert.equal(record.url.length, 2048 + 3);
  assert.equal(record.errorDetails.length, 1024 + 3);
  assert.equal(record.processCmdLine.length, 256 + 3);
  assert.ok(record.url.isWellFormed() && record.errorDetails.isWellFormed());
});

Deno.test("recordText() shows no secret of a target or a detail", () => {
  const text = textOf(
    makeDenial({
      target: "/status?sv=2020&sig=AbCdEfGh1234567890&se=2027",
      detail: "password=hunter2;",
    }),
    redact,
  );
  assert.ok(!text.includes("AbCdEfGh1234567890"), text);
  assert.ok(!text.includes("hunter2"), text);
  assert.ok(text.includes("se=2027"));
});

Deno.test("shownTarget() sees a secret whole that goes beyond the cut", () => {
  const secret = "s".repeat(300);
  const shown = shownTarget(`/${"a".repeat(1900)}?sig=${secret}`, redact);
  assert.ok(!shown.includes("ssss"), shown.slice(-100));
});

Deno.test("connectionText() has the contract's members and stays a document, whatever the caller sends", () => {
  const short = makeEntry();
  const usual = JSON.parse(connectionText(short, callerFacts(short.caller), plain));
  const record = JSON.parse(textOf(short));
  assert.deepEqual(Object.entries(usual), Object.entries(record).slice(0, 16));
  for (const each of ["a", '"', "\0", "ä", "😀"]) {
    const long = each.repeat(5000);
    const entry = makeDenial({
      method: long,
      target: long,
      detail: long,
      caller: makeCaller({
        commandLine: long,
        exe: { kind: "verified", path: `/${long}` },
        account: { userName: long, groups: Array(64).fill("g".repeat(128)) },
      }),
    });
    const text = connectionText(entry, callerFacts(entry.caller), plain);
    assert.ok(text.length <= 4096, `${each}: ${text.length}`);
    const told = JSON.parse(text);
    assert.deepEqual(Object.keys(told), Object.keys(usual));
    assert.ok(told.url.startsWith(each) && told.processFullPath.startsWith("/"), each);
    assert.equal(told.responseStatus, "403 Forbidden");
  }
});

Deno.test("noticeText() is told apart from a record by its first member", () => {
  const notice = JSON.parse(noticeText("suppressed", { uid: 5, count: 3 }, WALL_MS));
  assert.deepEqual(notice, {
    notice: "suppressed",
    uid: 5,
    count: 3,
    ts: "2026-07-22T21:27:45.123Z",
  });
});
