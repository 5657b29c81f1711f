import assert from "node:assert/strict";
import {
  AUDIT_FILE_NAME,
  type AuditEntry,
  auditPart,
  FileAuditTrail,
  type FileAuditTrailOptions,
  WriteBudget,
} from "../../../../src/agent/audit/mod.ts";
import { redact } from "../../../../src/domain/identity/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { makeCaller, makeDenial, makeEntry } from "./entries.ts";

const QUARTER_MS = 15 * 60_000;

interface Line {
  readonly header: string;
  readonly json: Record<string, unknown>;
}

interface Bench {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly logger: MemoryLogger;
  make(options?: Partial<FileAuditTrailOptions>): FileAuditTrail;
  /** Lines of the current file, but those about the chain. */
  lines(): Line[];
  /** The same of all files. */
  allLines(): Line[];
}

async function bench(body: (bench: Bench) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const trails: FileAuditTrail[] = [];
  const parse = (name: string) =>
    Deno.readTextFileSync(`${folder}/${name}`).split("\n").slice(0, -1).map((line) => ({
      header: line.slice(0, 34),
      json: JSON.parse(line.slice(34)),
    })).filter(({ json }) => json["notice"] !== "chain");
  try {
    await body({
      folder,
      clock,
      logger,
      make: (options = {}) => {
        const trail = new FileAuditTrail({ clock, folder, redact, logger, ...options });
        trails.push(trail);
        return trail;
      },
      lines: () => parse(AUDIT_FILE_NAME),
      allLines: () =>
        [...Deno.readDirSync(folder)].filter(({ name }) => name.includes(".log"))
          .flatMap(({ name }) => parse(name)),
    });
  } finally {
    for (const trail of trails) await trail.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Requests that the lines account for: records of their own, closing summaries, overflow. */
function accountedFor(lines: Line[]): number {
  return lines.reduce((sum, { json }) => {
    if ("id" in json && !("notice" in json)) return sum + 1;
    const counts = json["summary"] === "repeated" || json["notice"] === "overflow";
    return counts ? sum + (json["count"] as number) : sum;
  }, 0);
}

Deno.test("FileAuditTrail.record() has written a denial, behind the contract's header, when it returns", () =>
  bench(({ make, lines }) => {
    make().record(makeDenial());
    const [line] = lines();
    assert.equal(line?.header, "2026-01-06T07:08:09.123 [INFO]    ");
    assert.equal(line?.json["responseStatus"], "403 Forbidden");
    assert.equal(line?.json["seq"], 2, "behind the line that begins the chain");
  }));

Deno.test("FileAuditTrail.record() writes every denial, every flagged request and every error", () =>
  bench(({ make, lines }) => {
    const trail = make();
    const caller = makeCaller();
    for (let i = 0; i < 5; i++) {
      trail.record(makeDenial({ caller, requestId: i }));
      trail.record(
        makeEntry({ caller, requestId: 10 + i, decision: "flag", reason: "not-elevated" }),
      );
      trail.record(makeEntry({ caller, requestId: 20 + i, decision: "error", status: 502 }));
    }
    const ids = lines().map(({ json }) => json["id"]);
    assert.deepEqual(ids, [0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23, 4, 14, 24]);
  }));

Deno.test("FileAuditTrail.record() writes every access to a sensitive target", () =>
  bench(({ make, lines }) => {
    const trail = make();
    const target = "/metadata/identity/oauth2/token?resource=x";
    for (let i = 0; i < 3; i++) trail.record(makeEntry({ target }));
    assert.equal(lines().length, 3);
  }));

Deno.test("FileAuditTrail.record() writes the first request of its kind and counts the others", () =>
  bench(({ make, lines, clock }) => {
    const trail = make();
    for (let i = 0; i < 5; i++) {
      trail.record(makeEntry({ requestId: i }));
      clock.tick(1000);
    }
    assert.equal(lines().length, 1);
    trail.record(makeEntry({ requestId: 9, target: "/metadata/probe" }));
    assert.deepEqual(lines().map(({ json }) => json["url"]), [
      "/metadata/instance?api-version=2021-02-01",
      "/metadata/probe",
    ]);
  }));

Deno.test("FileAuditTrail.sweep() writes the count of a kind when its 15 minutes are over, not before", () =>
  bench(async ({ make, lines, clock }) => {
    const trail = make();
    for (let i = 0; i < 4; i++) {
      trail.record(makeEntry({ requestId: 70 + i }));
      clock.tick(1000);
    }
    clock.tick(QUARTER_MS - 4001);
    trail.sweep();
    trail.record(makeDenial());
    assert.equal(lines().filter(({ json }) => "summary" in json).length, 0);
    clock.tick(1);
    trail.sweep();
    await clock.advance(200);
    const { json } = lines().at(-1) ?? assert.fail("no line");
    assert.equal(json["summary"], "repeated");
    assert.equal(json["count"], 3);
    assert.equal(json["firstId"], 70);
    assert.equal(json["method"], "GET");
    assert.equal(json["path"], "/metadata/instance");
    assert.equal(json["responseStatus"], "200 OK");
    assert.equal(json["userName"], "azureuser");
    assert.equal(json["from"], "2026-01-06T07:08:09.123Z");
    assert.equal(json["to"], "2026-01-06T07:08:12.123Z");
  }));

Deno.test("FileAuditTrail.record() begins a new bucket after 15 minutes with a record of its own", () =>
  bench(({ make, lines, clock }) => {
    const trail = make();
    trail.record(makeEntry({ requestId: 1 }));
    trail.record(makeEntry({ requestId: 2 }));
    clock.tick(QUARTER_MS);
    trail.record(makeEntry({ requestId: 3 }));
    const shapes = lines().map(({ json }) => json["id"] ?? json["summary"]);
    assert.deepEqual(shapes, [1, "repeated", 3]);
  }));

Deno.test("FileAuditTrail.close() writes all counts", () =>
  bench(({ make, lines }) => {
    const trail = make();
    for (let i = 0; i < 3; i++) trail.record(makeEntry());
    trail.close();
    assert.equal(accountedFor(lines()), 3);
  }));

Deno.test("FileAuditTrail closes no summary for a kind whose requests all have records", () =>
  bench(({ make, lines }) => {
    const trail = make();
    trail.record(makeDenial());
    trail.record(makeDenial());
    trail.close();
    assert.equal(lines().length, 2);
  }));

Deno.test("FileAuditTrail numbers its lines without a gap", () =>
  bench(({ make, lines }) => {
    const trail = make();
    for (let i = 0; i < 3; i++) trail.record(makeDenial());
    for (let i = 0; i < 3; i++) trail.record(makeEntry());
    trail.close();
    assert.deepEqual(lines().map(({ json }) => json["seq"]), [2, 3, 4, 5, 6]);
  }));

Deno.test("FileAuditTrail bounds what one user may write, tells how much was not, and accounts for all", () =>
  bench(async ({ make, lines, clock }) => {
    const limits = { burst: 10, perSecond: 1 };
    const budget = new WriteBudget({ refusal: limits, sensitive: limits, first: limits });
    const trail = make({ budget });
    const caller = makeCaller();
    for (let i = 0; i < 100; i++) trail.record(makeDenial({ caller }));
    trail.record(makeDenial({ caller: makeCaller({ record: { uid: 1001 } }) }));
    trail.sweep();
    await clock.advance(200);
    assert.equal(
      lines().filter(({ json }) => "id" in json).length,
      11,
      "another user still writes",
    );
    const notice = lines().at(-1);
    assert.match(notice?.header ?? "", /\[WARN\]/);
    assert.equal(notice?.json["notice"], "suppressed");
    assert.equal(notice?.json["uid"], 1000);
    assert.equal(notice?.json["class"], "refusal");
    assert.equal(notice?.json["count"], 90);
    trail.close();
    assert.equal(accountedFor(lines()), 101);
  }));

Deno.test("FileAuditTrail tells the suppressed lines of very many users in few lines", () =>
  bench(({ make, lines }) => {
    const limits = { burst: 1, perSecond: 0.001 };
    const trail = make({
      budget: new WriteBudget({ refusal: limits, sensitive: limits, first: limits }),
    });
    for (let uid = 0; uid < 200; uid++) {
      const caller = makeCaller({ record: { uid } });
      for (let i = 0; i < 3; i++) trail.record(makeDenial({ caller }));
    }
    trail.close();
    const notices = lines().filter(({ json }) => json["notice"] === "suppressed");
    assert.equal(notices.length, 65);
    assert.equal(notices.at(-1)?.json["users"], 136);
    const told = notices.reduce((sum, { json }) => sum + (json["count"] as number), 0);
    assert.equal(told, 400);
  }));

Deno.test("FileAuditTrail writes the first of a kind late when the budget was used up, rather than never", () =>
  bench(({ make, lines, clock }) => {
    const limits = { burst: 1, perSecond: 1 };
    const trail = make({
      budget: new WriteBudget({ refusal: limits, sensitive: limits, first: limits }),
    });
    const caller = makeCaller();
    trail.record(makeEntry({ caller, target: "/a" }));
    trail.record(makeEntry({ caller, target: "/b", requestId: 2 }));
    clock.tick(1000);
    trail.record(makeEntry({ caller, target: "/b", requestId: 3 }));
    assert.deepEqual(lines().map(({ json }) => json["url"]), ["/a", "/b"]);
    trail.close();
    assert.equal(accountedFor(lines()), 3);
  }));

Deno.test("FileAuditTrail accounts for every request under a flood of kinds", () =>
  bench(({ make, allLines }) => {
    const limits = { burst: 50, perSecond: 1 };
    const budget = new WriteBudget({ refusal: limits, sensitive: limits, first: limits });
    const trail = make({ budget, mostBuckets: 20 });
    const caller = makeCaller();
    let requests = 0;
    for (let i = 0; i < 6000; i++) {
      for (let repeat = 0; repeat <= i % 3; repeat++) {
        trail.record(makeEntry({ caller, target: `/${i % 500}` }));
        requests++;
      }
    }
    trail.close();
    assert.equal(trail.requestCount, requests);
    assert.equal(accountedFor(allLines()), requests);
    assert.ok(allLines().some(({ json }) => json["notice"] === "overflow"));
  }));

Deno.test("FileAuditTrail keeps at most five files, closed to others", () =>
  bench(({ make, folder, clock }) => {
    const trail = make({ maxBytes: 2000 });
    for (let i = 0; i < 60; i++) {
      trail.record(makeDenial());
      clock.tick(1000);
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.equal(names.length, 5);
    for (const name of names) {
      assert.equal((Deno.statSync(`${folder}/${name}`).mode ?? 0) & 0o777, 0o640);
      assert.match(
        name,
        /^ProxyAgent\.Connection\.log(\.2026-01-06T07\.\d\d\.\d\d\.\d{3}-\d{19}\.log)?$/,
      );
    }
  }));

Deno.test("FileAuditTrail.record() survives entries that cannot be told, and leaves a line about them", () =>
  bench(({ make, lines, logger }) => {
    const trail = make({
      redact: () => {
        throw new Error("no redaction");
      },
    });
    for (let i = 0; i < 3; i++) trail.record(makeDenial({ requestId: i }));
    assert.deepEqual(
      lines().map(({ json }) => [json["notice"], json["id"], json["decision"]]),
      [["record-failed", 0, "deny"], ["record-failed", 1, "deny"], ["record-failed", 2, "deny"]],
    );
    assert.deepEqual(logger.texts("error"), ["audit record could not be made"]);
  }));

Deno.test("FileAuditTrail.record() never throws, not even for an entry of the wrong shape", () =>
  bench(({ make }) => {
    const trail = make();
    for (const broken of [{}, { caller: {} }, { target: 5 }, null]) {
      trail.record(broken as unknown as AuditEntry);
    }
  }));

Deno.test("FileAuditTrail.record() writes no caller's text that could forge a line", () =>
  bench(({ make, folder }) => {
    const forged = "x\n2026-01-06T07:08:09.123 [INFO]    {}\r\u2028";
    make().record(
      makeDenial({ target: `/${forged}`, caller: makeCaller({ commandLine: forged }) }),
    );
    const text = Deno.readTextFileSync(`${folder}/${AUDIT_FILE_NAME}`);
    assert.equal(text.split(/[\n\r\u2028\u2029]/).length, 3);
  }));

Deno.test("FileAuditTrail tells when its file cannot be written, what was lost, and when it works again", () =>
  bench(({ make, folder, clock, logger }) => {
    Deno.writeTextFileSync(`${folder}/logs`, "in the way");
    const trail = make({ folder: `${folder}/logs` });
    trail.open();
    assert.match(trail.trouble ?? "", /directory/i);
    trail.record(makeDenial());
    trail.record(makeDenial());
    assert.deepEqual(logger.texts("error"), ["audit log cannot be written"]);
    Deno.removeSync(`${folder}/logs`);
    clock.tick(1000);
    trail.record(makeDenial());
    assert.equal(trail.trouble, null);
    const lines = Deno.readTextFileSync(`${folder}/logs/${AUDIT_FILE_NAME}`).split("\n");
    const lost = JSON.parse(lines[1]?.slice(34) ?? "");
    assert.equal(lost.notice, "lost");
    assert.equal(lost.count, 2);
    assert.equal(JSON.parse(lines[2]?.slice(34) ?? "").responseStatus, "403 Forbidden");
  }));

Deno.test("FileAuditTrail counts without a file when no folder is set", () =>
  bench(({ make, folder }) => {
    const trail = make({ folder: null });
    trail.open();
    for (let i = 0; i < 3; i++) trail.record(makeDenial());
    trail.sweep();
    trail.close();
    assert.equal(trail.connectionSummary()[0]?.count, 3);
    assert.equal(trail.trouble, null);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("FileAuditTrail.connectionSummary() counts every request by the status the client got", () =>
  bench(({ make }) => {
    const trail = make();
    trail.record(makeEntry());
    trail.record(makeEntry({ decision: "flag", reason: "not-elevated" }));
    trail.record(makeDenial());
    trail.record(makeEntry({ decision: "deny", reason: "method-not-allowed", status: 405 }));
    const counts = trail.connectionSummary().map((one) => [one.responseStatus, one.count]);
    assert.deepEqual(counts, [["200 OK", 2], ["403 Forbidden", 1], ["405 Method Not Allowed", 1]]);
    assert.equal(trail.requestCount, 4);
  }));

Deno.test("FileAuditTrail.failedAuthenticationSummary() counts what failed authorization, flagged ones as 403", () =>
  bench(({ make }) => {
    const trail = make();
    trail.record(makeEntry());
    trail.record(makeEntry({ decision: "error", status: 502, reason: "upstream-unreachable" }));
    trail.record(makeEntry({ decision: "deny", reason: "path-traversal", status: 403 }));
    assert.deepEqual(trail.failedAuthenticationSummary(), []);
    trail.record(makeEntry({ decision: "flag", reason: "not-elevated", status: 200 }));
    for (
      const reason of [
        "not-elevated",
        "rule-denied",
        "default-denied",
        "not-canonical",
        "matchers-disagree",
        "agent-listener",
        "policy-closed",
        "unknown-destination",
      ] as const
    ) trail.record(makeDenial({ reason }));
    const stranger = { caller: null, destination: { address: "168.63.129.16", port: 80 } };
    trail.record(makeDenial({ ...stranger, reason: "caller-gone", status: 421 }));
    trail.record(makeDenial({ ...stranger, reason: "unattributed", status: 421 }));
    trail.record(makeDenial({ caller: null, reason: "direct-connection", status: 421 }));
    const counts = trail.failedAuthenticationSummary().map((
      one,
    ) => [one.responseStatus, one.count]);
    assert.deepEqual(counts, [["403 Forbidden", 9], ["421 Misdirected Request", 2]]);
  }));

Deno.test("auditPart() sweeps every second and writes all counts before it ends", () =>
  bench(async ({ make, lines, clock }) => {
    const trail = make();
    const stop = new AbortController();
    const reports: string[] = [];
    const part = auditPart(trail, clock);
    const done = part.run(stop.signal, {
      report: (state, code) => reports.push(`${state} ${code}`),
    });
    await clock.settle();
    assert.deepEqual(reports, ["RUNNING AUDIT_LOG_OPEN"]);
    trail.record(makeEntry());
    trail.record(makeEntry());
    await clock.advance(QUARTER_MS + 1000);
    assert.equal(lines().at(-1)?.json["count"], 1);
    trail.record(makeEntry());
    trail.record(makeEntry());
    stop.abort();
    await done;
    assert.equal(accountedFor(lines()), 4);
    assert.equal(clock.sleeping, 0);
  }));

Deno.test("auditPart() reports a file that cannot be written, and its recovery without any request", () =>
  bench(async ({ make, folder, clock }) => {
    Deno.writeTextFileSync(`${folder}/logs`, "");
    const trail = make({ folder: `${folder}/logs` });
    const stop = new AbortController();
    const reports: string[] = [];
    const done = auditPart(trail, clock).run(stop.signal, {
      report: (state, code) => reports.push(`${state} ${code}`),
    });
    await clock.advance(2000);
    Deno.removeSync(`${folder}/logs`);
    await clock.advance(2000);
    assert.deepEqual(reports, ["STOPPED AUDIT_LOG_WRITE", "RUNNING AUDIT_LOG_OPEN"]);
    stop.abort();
    await done;
  }));

const TOKEN = "/metadata/identity/oauth2/token?resource=x";

/** A trail whose file cannot be written, in a folder where `logs` is in the way. */
function unwritable(bench: Bench): FileAuditTrail {
  Deno.writeTextFileSync(`${bench.folder}/logs`, "in the way");
  return bench.make({ folder: `${bench.folder}/logs` });
}

Deno.test("FileAuditTrail.record() lets no allowed access to a sensitive target out of Enforce without a record", () =>
  bench(async (bench) => {
    const trail = unwritable(bench);
    const caller = makeCaller();
    const refused = trail.record(makeEntry({ caller, target: TOKEN }));
    assert.equal(refused?.status, 503);
    assert.equal(refused?.reason, "audit-unavailable");
    assert.equal(trail.record(makeEntry({ caller, target: TOKEN }))?.reason, "audit-unavailable");
    const counts = trail.connectionSummary().map((one) => [one.responseStatus, one.count]);
    assert.deepEqual(counts, [["503 Service Unavailable", 2]]);
    Deno.removeSync(`${bench.folder}/logs`);
    bench.clock.tick(1000);
    assert.equal(trail.record(makeEntry({ caller, target: TOKEN })), null, "it works again");
    await trail.close();
    const text = Deno.readTextFileSync(`${bench.folder}/logs/${AUDIT_FILE_NAME}`);
    const lines = text.trim().split("\n").map((line) => JSON.parse(line.slice(34)));
    const summary = lines.find((line) => line.summary === "repeated");
    assert.equal(summary.count, 2);
    assert.equal(summary.reason, "audit-unavailable");
    assert.equal(summary.decision, "error");
  }));

Deno.test("FileAuditTrail.record() lets everything else out while the log cannot be written", () =>
  bench((bench) => {
    const trail = unwritable(bench);
    for (
      const entry of [
        makeEntry(),
        makeEntry({ target: TOKEN, mode: "audit" }),
        makeEntry({ target: TOKEN, mode: "audit", decision: "flag", reason: "not-elevated" }),
        makeEntry({ target: TOKEN, mode: "disabled" }),
        makeDenial({ target: TOKEN }),
        makeEntry({ target: TOKEN, decision: "error", status: 502 }),
      ]
    ) assert.equal(trail.record(entry), null, JSON.stringify([entry.mode, entry.decision]));
  }));

Deno.test("FileAuditTrail.record() lets a sensitive access out that is counted beyond the budget, or where no log is kept", () =>
  bench(({ make }) => {
    const limits = { burst: 1, perSecond: 0.001 };
    const budget = new WriteBudget({ refusal: limits, sensitive: limits, first: limits });
    const trail = make({ budget });
    const caller = makeCaller();
    assert.equal(trail.record(makeEntry({ caller, target: TOKEN })), null);
    assert.equal(trail.record(makeEntry({ caller, target: TOKEN })), null);
    assert.equal(make({ folder: null }).record(makeEntry({ target: TOKEN })), null);
  }));

Deno.test("FileAuditTrail.record() refuses a sensitive access whose record cannot be made", () =>
  bench(({ make }) => {
    const trail = make({
      redact: () => {
        throw new Error("no redaction");
      },
    });
    assert.equal(trail.record(makeEntry({ target: TOKEN }))?.reason, "audit-unavailable");
    assert.equal(trail.record(makeEntry()), null);
  }));

Deno.test("FileAuditTrail counts by the canonical path, and by the rule that decided", () =>
  bench(async ({ make, lines }) => {
    const trail = make();
    const caller = makeCaller();
    const canonicalTarget = "/metadata/instance";
    for (const target of ["/metadata/instance", "/Metadata//instance", "/metadata/./instance"]) {
      trail.record(makeEntry({ caller, target, canonicalTarget, privilege: "a" }));
    }
    assert.equal(lines().length, 1);
    trail.record(makeEntry({ caller, canonicalTarget, privilege: "b" }));
    trail.record(makeEntry({ caller, canonicalTarget, privilege: "a", policyEpoch: 8 }));
    trail.record(makeEntry({ caller, canonicalTarget, privilege: "a", canonical: "deny" }));
    assert.equal(lines().length, 4);
    await trail.close();
    const { json } = lines().at(-1) ?? assert.fail("no line");
    assert.equal(json["count"], 2);
    assert.equal(json["path"], "/metadata/instance");
    assert.equal(json["matchedPrivilege"], "a");
    assert.equal(json["policyEpoch"], 7);
  }));

Deno.test("auditPart() notes how far the log reaches at the start, every minute and at the end", () =>
  bench(async ({ make, clock, folder }) => {
    const trail = make();
    const noted: (number | null)[] = [];
    const keep = trail.keepAnchor.bind(trail);
    trail.keepAnchor = async () => {
      await keep();
      noted.push(trail.anchor?.seq ?? null);
    };
    const stop = new AbortController();
    const done = auditPart(trail, clock).run(stop.signal, { report: () => {} });
    const settled = async (count: number) => {
      while (noted.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    await settled(1);
    trail.record(makeDenial());
    await clock.advance(59_000);
    assert.equal(noted.length, 1);
    await clock.advance(1_000);
    await settled(2);
    trail.record(makeDenial());
    stop.abort();
    await done;
    assert.deepEqual(noted, [1, 2, 3]);
    const kept = JSON.parse(Deno.readTextFileSync(`${folder}/ProxyAgent.Connection.anchor.json`));
    assert.deepEqual(kept, trail.anchor);
  }));

Deno.test("FileAuditTrail tells the first request of its kind in 15 minutes, as others know it", () =>
  bench(({ make, clock }) => {
    const told: string[] = [];
    const trail = make({ onFirst: (connection) => told.push(connection) });
    const entry = { target: "/x?sig=abc&b=2" };
    for (let i = 0; i < 3; i++) trail.record(makeEntry(entry));
    assert.equal(told.length, 1);
    const members = JSON.parse(told[0] ?? "");
    assert.deepEqual(Object.keys(members), [
      ...["id", "method", "url", "clientIp", "clientPort", "ip", "port", "userId", "userName"],
      ...["userGroups", "processFullPath", "processCmdLine", "runAsElevated", "responseStatus"],
      ...["elapsedTime", "errorDetails"],
    ]);
    assert.equal(members.url, "/x?[REDACTED]&b=2");
    trail.record(makeDenial());
    assert.equal(told.length, 2);
    clock.tick(QUARTER_MS);
    trail.record(makeEntry(entry));
    assert.equal(told.length, 3);
  }));

Deno.test("FileAuditTrail bounds how many kinds of requests it tells", () =>
  bench(({ make }) => {
    let told = 0;
    const trail = make({ onFirst: () => told++ });
    for (let uid = 0; uid < 500; uid++) {
      trail.record(makeEntry({ caller: makeCaller({ record: { uid: 1000 + uid } }) }));
    }
    assert.equal(told, 100);
  }));
