/**
 * Measures how long each rare piece of work holds the event loop, and with it every request: a policy reload, the rotation
 * of a log, the writing of the status document, a look at the time limits of thousands of connections. Arguments: cgroup,
 * folder.
 *
 * @module
 */
import { type AuditEntry, FileAuditTrail } from "../../../src/agent/audit/mod.ts";
import { type AgentSnapshot, initialSnapshot } from "../../../src/agent/key_keeper/mod.ts";
import { BufferPool } from "../../../src/agent/proxy/buffer_pool.ts";
import { ClientConnection } from "../../../src/agent/proxy/client_connection.ts";
import { PROXY_LIMITS } from "../../../src/agent/proxy/mod.ts";
import {
  AggregateStatus,
  HealthBoard,
  RuleDumps,
  StatusWriter,
} from "../../../src/agent/status/mod.ts";
import type { Caller, RedactedText } from "../../../src/domain/identity/mod.ts";
import {
  type EffectiveRules,
  hostRules,
  policySnapshot,
  policySteps,
} from "../../../src/domain/policy/mod.ts";
import { ENDPOINTS, parseKeyStatusSteps } from "../../../src/domain/wire/mod.ts";
import { Cell } from "../../../src/runtime/cell.ts";
import { slicedBy } from "../../../src/runtime/slices.ts";
import { RollingFile } from "../../../src/runtime/rolling_file.ts";
import { Sweeper } from "../../../src/runtime/sweeper.ts";
import { longestGapMs } from "./gap_meter.ts";
import { openParts, SILENT, tell } from "./open_parts.ts";

const REPETITIONS = 9;
const RULES = 200;
const SUMMARY_ENTRIES = 1_000;
const CONNECTIONS = 5_000;
const SWEEP_MS = 20;
const LOG_BYTES = 10 * 1024 * 1024;
const NO_HEALTH = { report: () => {} };

const [cgroup = "", folder = ""] = Deno.args;
using platform = await openParts({ cgroup, folder });
const { clock, redirector } = platform;

/** The gap of each of several runs, milliseconds. */
async function gaps(work: (count: number) => Promise<unknown>): Promise<number[]> {
  const found: number[] = [];
  for (let count = 0; count < REPETITIONS; count++) {
    found.push(await longestGapMs(() => work(count)));
  }
  return found;
}

/** A status document with many rules, different each time. */
function document(count: number): string {
  const names = Array.from({ length: RULES }, (_, index) => `n${index}`);
  const item = (id: string) => ({
    defaultAccess: "deny",
    mode: "enforce",
    id: `${id}-${count}`,
    rules: {
      privileges: names.map((name) => ({ name, path: `/metadata/${id}/${name}` })),
      roles: names.map((name) => ({ name, privileges: [name] })),
      identities: names.map((name) => ({ name, userName: name, exePath: `/usr/bin/${name}` })),
      roleAssignments: names.map((name) => ({ role: name, identities: [name] })),
    },
  });
  return JSON.stringify({
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    version: "2.0",
    secureChannelEnabled: true,
    authorizationRules: { imds: item("imds"), wireserver: item("wireserver") },
  });
}

/** From the document's text to the kernel's map and the dump on disk. */
async function policyGaps(): Promise<number[]> {
  const snapshot = new Cell<AgentSnapshot>(initialSnapshot());
  const stop = new AbortController();
  const pace = slicedBy(clock);
  let rules: EffectiveRules | null = null;
  snapshot.subscribe(({ targets }) => redirector.setTargets(targets ?? {}), stop.signal);
  const dumps = new RuleDumps({
    clock,
    logger: SILENT,
    folder: `${folder}/parts-rules`,
    snapshot,
    rules: () => rules,
    pace,
    isOurs: () => true,
  }).run(stop.signal, NO_HEALTH);
  await redirector.attach(stop.signal);
  const found = await gaps(async (count) => {
    const text = document(count);
    const parsed = await pace(parseKeyStatusSteps(text));
    if (!parsed.ok) throw new Error(`the document was refused: ${parsed.error.code}`);
    rules = hostRules(parsed.value.authorizationRules);
    const built = await pace(policySteps({ status: parsed.value, rules, matching: "shadow" }));
    if (!built.ok) throw new Error(`the policy was refused: ${built.error.reason}`);
    const policy = policySnapshot(built.value.content, count + 1);
    snapshot.publish({ ...snapshot.get(), policy, targets: { imds: "enforce" } });
    await clock.sleep(1_100);
  });
  stop.abort();
  await dumps;
  await redirector.detach();
  return found;
}

/** The line that finds the file full. */
async function rotationGaps(): Promise<number[]> {
  const file = new RollingFile({
    folder: `${folder}/parts-log`,
    name: "parts.log",
    clock,
    maxBytes: LOG_BYTES,
    lossNotice: () => "lost",
  });
  const line = "x".repeat(64 * 1024 - 1);
  const fill = () => {
    for (let bytes = 0; bytes < LOG_BYTES; bytes += line.length + 1) file.writeNow(line);
  };
  const found: number[] = [];
  for (let count = 0; count < REPETITIONS; count++) {
    fill();
    found.push(await longestGapMs(() => Promise.resolve(file.writeNow("the line after"))));
  }
  file.close();
  return found;
}

function caller(index: number): Caller {
  return {
    record: {
      cookie: BigInt(index),
      source: { address: "127.200.0.1", port: index },
      netns: 1n,
      destination: ENDPOINTS.imds,
      uid: index,
      gid: index,
      process: { tgid: index, startedAtBootNs: 1n },
      comm: "client",
      exe: { device: 1n, inode: 1n },
      cgroupId: 1n,
      connectedAtBootNs: 1n,
    },
    elevated: false,
    account: { userName: `user${index}`, groups: ["users", "video", "audio"] },
    exe: { kind: "verified", path: `/usr/local/bin/client${index}` },
    commandLine: `client${index} --url http://169.254.169.254/metadata` as RedactedText,
  };
}

/** The document at its fullest, from the counts to the file. */
async function statusGaps(): Promise<number[]> {
  const counts = new FileAuditTrail({
    clock,
    folder: null,
    redact: (text) => text,
    logger: SILENT,
  });
  for (let index = 0; index < SUMMARY_ENTRIES; index++) {
    const who = caller(index);
    const entry: AuditEntry = {
      requestId: index,
      method: "GET",
      target: "/metadata/instance?api-version=2021-02-01",
      client: who.record.source,
      destination: ENDPOINTS.imds,
      endpoint: "imds",
      caller: who,
      decision: "deny",
      reason: "not-elevated",
      mode: "enforce",
      policyEpoch: 1,
      status: 403,
      detail: "",
      signed: false,
      elapsedMs: 1,
    };
    counts.record(entry);
  }
  const none = {
    monitor: [""] as const,
    keyLatch: "",
    redirector: "",
    listener: "",
    telemetry: "",
  };
  const status = new AggregateStatus({
    clock,
    version: "0",
    health: new HealthBoard(clock),
    parts: none,
    counts,
    keyLatchFacts: () => ({
      secureChannelState: "disabled",
      keyGuid: null,
      keyIncarnationId: null,
      wireServerRuleId: "",
      imdsRuleId: "",
    }),
  });
  return await gaps(async () => {
    const stop = new AbortController();
    const written = Promise.withResolvers<void>();
    const health = {
      report: (_: string, code: string) => code === "STATUS_WRITTEN" && written.resolve(),
    };
    const writer = new StatusWriter({
      clock,
      logger: SILENT,
      folder: `${folder}/parts-status`,
      status,
      isOurs: () => true,
    });
    const running = writer.run(stop.signal, health);
    await written.promise;
    stop.abort();
    await running;
  });
}

/** The look at the time limits of connections, none of which is over. */
async function sweepGaps(): Promise<number[]> {
  const sweeper = new Sweeper(clock, SWEEP_MS);
  const never = new Promise<never>(() => {});
  const silent = {
    read: () => never,
    write: () => never,
    closeWrite: () => never,
    setNoDelay: () => {},
    close: () => {},
  };
  const server = { serve: () => {}, isGone: () => false, cut: () => {}, closed: () => {} };
  const buffers = new BufferPool();
  for (let port = 0; port < CONNECTIONS; port++) {
    const peer = { address: "127.128.0.1", port };
    const limits = PROXY_LIMITS;
    new ClientConnection({ peer, socket: silent, server, limits, sweeper, buffers }).start();
  }
  const gapsMs = await gaps(() => clock.sleep(5 * SWEEP_MS));
  sweeper.close();
  return gapsMs;
}

tell({
  sweepMs: await sweepGaps(),
  policyMs: await policyGaps(),
  rotationMs: await rotationGaps(),
  statusMs: await statusGaps(),
});
Deno.exit(0);
