import { auditPart, FileAuditTrail } from "./agent/audit/mod.ts";
import { Resolver } from "./agent/caller/mod.ts";
import {
  ControlObserver,
  DecisionFeed,
  KeyAge,
  RequestMetrics,
  RequestTrace,
  type Sources,
} from "./agent/control/mod.ts";
import { Exchange, HostClock, TcpHostChannel } from "./agent/host/mod.ts";
import { Epochs, initialSnapshot, KEPT_KEYS, KeyKeeper } from "./agent/key_keeper/mod.ts";
import type { AgentSnapshot } from "./agent/key_keeper/mod.ts";
import {
  ProvisionEndpoint,
  Readiness,
  type ReadinessFlag,
  TagFiles,
} from "./agent/provision/mod.ts";
import { Proxy } from "./agent/proxy/mod.ts";
import { Reconciler } from "./agent/redirector/mod.ts";
import {
  AggregateStatus,
  HealthBoard,
  isLogFolderEntry,
  type ModuleParts,
  RuleDumps,
  StatusWriter,
} from "./agent/status/mod.ts";
import { Upstream } from "./agent/upstream/mod.ts";
import type { Config } from "./config.ts";
import { ConfigReload } from "./config_reload.ts";
import { redact, redactedText } from "./domain/identity/mod.ts";
import { ENDPOINTS, type KeyLatchFacts } from "./domain/wire/mod.ts";
import { controlParts } from "./app_control.ts";
import { type Logs, openLogs } from "./app_logs.ts";
import { AppTelemetry, telemetrySettingsOf } from "./app_telemetry.ts";
import type { RunOptions } from "./commands/run_agent.ts";
import { openPlatform, type Platform } from "./platform/platform.ts";
import { Backoff, DEFAULT_BACKOFF } from "./runtime/backoff.ts";
import { Cell } from "./runtime/cell.ts";
import { AgentError } from "./runtime/errors.ts";
import { describeFileError } from "./runtime/files.ts";
import { LifeSign } from "./runtime/life_sign.ts";
import type { Logger } from "./runtime/logger.ts";
import type { HealthReporter } from "./runtime/part.ts";
import { slicedBy } from "./runtime/slices.ts";
import { type Supervised, Supervisor } from "./runtime/supervisor.ts";
import { SystemClock } from "./runtime/system_clock.ts";
import { longSystemName, readOsRelease } from "./system_name.ts";
import { VERSION } from "./version.ts";

/** Folders of the kernel objects of a source tree, behind the installed one. */
const BUILD_FOLDER = new URL("../build/bpf", import.meta.url).pathname;
/** The program that runs, also when its file was replaced meanwhile. */
const RUNNING_PROGRAM = "/proc/self/exe";
/** Longest part of the orderly stop: open requests are given this long to end. */
const LISTENER_STOP_MS = 7_000;
/** When starting is surely over: the host has answered, the first documents are written. */
const STARTED_MS = 30_000;

/**
 * Wires the agent and runs it until `signal` fires; the exit code is 0 after an orderly stop, 1 when a part never came up
 * or did not stop in time. The one place, with the command line, that knows which concrete part goes where.
 */
export async function runAgent(
  config: Config,
  options: RunOptions,
  signal: AbortSignal,
): Promise<number> {
  const clock = new SystemClock();
  const telemetry = new AppTelemetry(config, clock);
  const logs = openLogs(config, options, clock, telemetry.sink);
  const { logger } = logs;
  const banner = startBanner(Math.round(clock.monotonicMs()));
  logger.info(banner, { kernel: Deno.osRelease() });
  logs.say(banner);
  for (const warning of options.warnings) logger.warn("configuration", { warning });
  try {
    using platform = await openPlatform({
      endpoints: ENDPOINTS,
      cgroupRoot: config.cgroupRoot,
      bpfFolder: config.bpfFolder,
      bpfObjects: {
        fullPath: config.ebpfFileFullPath,
        fileName: config.ebpfProgramName,
        // A compiled program's own address lies below /tmp, where anybody could leave an object for it.
        folders: [
          folderOf(Deno.execPath()),
          ...(Deno.build.standalone ? [] : [BUILD_FOLDER]),
        ],
      },
      keyFolder: config.latchKeyFolder,
      keptKeys: KEPT_KEYS,
      userConnectionLimit: config.maxConnectionsPerUser,
      rootConnectionLimit: config.maxConnectionsOfRoot,
      redact: redactedText,
      logger,
    });
    logger.debug("descriptor limit", { descriptors: platform.raiseLimits() });
    return await superviseAgent(config, options, platform, logs, telemetry, signal);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    logger.error("the agent cannot run", { code: error.code, error: error.message });
    return 1;
  } finally {
    logger.info("============== GuestProxyAgent has stopped");
    telemetry.close();
    await logs.close();
  }
}

/** Runs all parts. They start in the order of the list and stop in the opposite one: the listener first, the records last. */
async function superviseAgent(
  config: Config,
  options: RunOptions,
  platform: Platform,
  logs: Logs,
  telemetry: AppTelemetry,
  signal: AbortSignal,
): Promise<number> {
  const { clock } = platform;
  const logger = telemetry.tapped(logs.logger);
  const health = new HealthBoard(clock);
  const epochs = new Epochs(platform.epochStore, clock, logger.child("key_keeper"));
  const { matching } = config;
  const snapshot = new Cell<AgentSnapshot>(initialSnapshot(await epochs.first(), matching));
  const pace = slicedBy(clock);
  const hostClock = new HostClock(clock);
  const audit = new FileAuditTrail({
    clock,
    folder: config.logFolder,
    redact,
    logger: logger.child("audit"),
    onFirst: (connection) => telemetry.sources.connection(connection),
  });
  const readiness = new Readiness({
    clock,
    logger,
    tags: new TagFiles(config.latchKeyFolder, clock),
    messageOf: (flag) => health.of(PART_OF_FLAG[flag]).message,
    onResult: (text) => logs.say(text),
  });
  const host = new TcpHostChannel(ENDPOINTS, new Exchange(clock), hostClock, pace);
  const keeper = new KeyKeeper({
    clock,
    logger,
    host,
    store: platform.keyStore,
    epochs,
    policyStore: platform.policyStore,
    ruleFiles: platform.ruleFiles,
    matching,
    pace,
    snapshot,
    pollIntervalMs: config.pollKeyStatusIntervalMs,
    onKeyReady: (ready) => ready ? readiness.set("keyLatch") : readiness.clear("keyLatch"),
  });
  const status = new AggregateStatus({
    clock,
    version: VERSION,
    health,
    parts: MODULE_PARTS,
    counts: audit,
    keyLatchFacts: () => withHostClock(keeper.facts(), hostClock),
  });
  const provision = new ProvisionEndpoint(readiness, keeper);
  const upstream = new Upstream({ clock });
  const resolver = new Resolver(platform.inspector, platform.accounts);
  const requests = new RequestMetrics();
  const feed = new DecisionFeed(redact);
  const trace = new RequestTrace(logger.child("proxy"), redact);
  trace.isOn = config.enableHttpProxyTrace;
  const proxy = new Proxy({
    clock,
    hostClock,
    endpoints: ENDPOINTS,
    redirector: platform.redirector,
    resolver,
    snapshot,
    audit,
    observer: new ControlObserver(requests, feed, trace, clock),
    upstream,
    onSignatureRefused: () => keeper.signatureRefused(),
    localEndpoints: {
      provision: (headers, uid) => provision.answer(headers, uid),
      aggregatedStatus: () => status.document("compact"),
    },
    logger: logger.child("proxy"),
    random: Math.random,
    limits: timeLimitsOf(config),
  });
  const reconciler = new Reconciler({
    redirector: platform.redirector,
    snapshot,
    clock,
    backoff: new Backoff(DEFAULT_BACKOFF, Math.random),
    logger: logger.child("redirector"),
    serving: () => health.of(PART_OF_FLAG.listener).state === "RUNNING",
    stopping: () => signal.aborted,
  });
  const statusFolder = { folder: config.statusFolder, isOurs: isLogFolderEntry };
  const upload = telemetry.part({
    host,
    snapshot,
    status,
    isProvisioned: () => readiness.finishedTick > 0n,
    logger,
  });
  const changeTelemetry = (next: Config) => upload.change(telemetrySettingsOf(next));
  const changeLimits = (next: Config) =>
    platform.redirector.setConnectionLimits({
      user: next.maxConnectionsPerUser,
      root: next.maxConnectionsOfRoot,
    });
  const reload = new ConfigReload(options.configSource, {
    fileLogLevel: (next) => logs.levels.set("file", next.fileLogLevel),
    fileLogLevelForEvents: (next) => logs.levels.set("events", next.fileLogLevelForEvents),
    fileLogLevelForSystemEvents: (next) =>
      logs.levels.set("console", next.fileLogLevelForSystemEvents),
    canonicalRequestMode: (next) => keeper.setMatching(next.matching),
    pollKeyStatusIntervalInSeconds: (next) => keeper.setPollInterval(next.pollKeyStatusIntervalMs),
    requestHeadTimeoutInSeconds: (next) => proxy.setTimeLimits(timeLimitsOf(next)),
    idleConnectionTimeoutInSeconds: (next) => proxy.setTimeLimits(timeLimitsOf(next)),
    enableHttpProxyTrace: (next) => trace.isOn = next.enableHttpProxyTrace,
    maxConnectionsPerUser: changeLimits,
    maxConnectionsOfRoot: changeLimits,
    telemetryUpload: changeTelemetry,
    telemetryIntervalInSeconds: changeTelemetry,
    maxEventFileCount: changeTelemetry,
  }, logger);
  const lifeSign = new LifeSign({
    clock,
    logger,
    notify: platform.serviceNotify,
    everyMs: platform.watchdogEveryMs,
    loops: [keeper, reconciler],
    status: () => troubleOf(health) || "Serving",
  });
  snapshot.subscribe(({ targets }) => telemetry.sources.targetsChanged(targets), signal);
  const parts: Supervised[] = [
    // The first to start is the last to stop: what the others say at their end is kept.
    { part: upload, upWithinMs: null },
    { part: reload, upWithinMs: null },
    { part: auditPart(audit, clock) },
    { part: new StatusWriter({ clock, logger, status, ...statusFolder }), upWithinMs: null },
    {
      part: new RuleDumps({
        clock,
        logger,
        snapshot,
        rules: () => keeper.rules(),
        pace,
        ...statusFolder,
      }),
      upWithinMs: null,
    },
    { part: readiness, upWithinMs: null },
    { part: lifeSign, upWithinMs: null },
    { part: reconciler },
    { part: keeper, upWithinMs: null },
    { part: proxy, stopWithinMs: LISTENER_STOP_MS },
  ];
  const listening = Promise.withResolvers<void>();
  const onListening = () => {
    reconciler.listening();
    listening.resolve();
  };
  // What is ordered behind the agent, the network above all, comes when callers are redirected as they were before.
  Promise.all([listening.promise, reconciler.tried, keeper.recalled])
    .then(() => signal.aborted ? undefined : platform.serviceNotify.ready());
  const sources: Sources = {
    clock,
    version: VERSION,
    startedWallMs: clock.wallMs() - Math.round(clock.monotonicMs()),
    endpoints: ENDPOINTS,
    requests,
    feed,
    keyAge: new KeyAge(snapshot, clock, platform.keyStore, signal),
    hostClock,
    status,
    health,
    snapshot,
    rules: () => keeper.rules(),
    pace,
    keeper,
    redirector: platform.redirector,
    resolver,
    proxy,
    upstream,
    queues: () => [
      ...logs.queues(),
      { queue: "audit", waiting: audit.waitingLines, dropped: audit.lostLines },
      ...upload.queues,
    ],
    restarts: () => supervisor.restarts,
    memory: () => Deno.memoryUsage(),
    executable: { path: Deno.execPath(), openPath: RUNNING_PROGRAM },
    isCompiled: Deno.build.standalone,
  };
  parts.push(...controlParts(config, sources, logger));
  const supervisor = new Supervisor({
    clock,
    logger,
    random: Math.random,
    health: (part) =>
      telemetry.sources.watched(
        part,
        telling(part, flagging(part, health.reporter(part), readiness, onListening), logs),
      ),
  });
  const onStop = () => {
    platform.serviceNotify.stopping();
    const elapsedMs = Math.round(clock.monotonicMs());
    logger.info(`============== GuestProxyAgent is stopping, elapsed: ${elapsedMs}`);
  };
  if (signal.aborted) onStop();
  else signal.addEventListener("abort", onStop, { once: true });
  releaseStartMemory(platform, logger, signal);
  const outcome = await supervisor.run(parts, signal);
  upstream.close();
  if (outcome.kind === "never-up") logger.error("a part never came up", { part: outcome.part });
  return outcome.kind === "stopped" && outcome.late.length === 0 ? 0 : 1;
}

/** Once, when starting is over. Never rejects. */
async function releaseStartMemory(
  platform: Platform,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  await platform.clock.sleep(STARTED_MS, signal);
  if (signal.aborted) return;
  try {
    logger.debug("memory of the start released", { bytes: await platform.releaseStartMemory() });
  } catch (error) {
    logger.debug("memory of the start is kept", { cause: describeFileError(error) });
  }
}

/** Names of the parts behind the readiness flags. */
const PART_OF_FLAG: Readonly<Record<ReadinessFlag, string>> = Object.freeze({
  redirector: "redirector",
  keyLatch: "key_keeper",
  listener: "proxy-listener",
});

/** Tells in whole seconds, as the host tells its time, how far its clock is ahead of the machine's. */
function withHostClock(facts: KeyLatchFacts, hostClock: HostClock): KeyLatchFacts {
  const skewMs = hostClock.skewMs();
  if (skewMs === null) return facts;
  const hostClockAheadInSeconds = String(Math.round(skewMs / 1000));
  return { ...facts, extra: { ...facts.extra, hostClockAheadInSeconds } };
}

/** What keeps the agent from serving, for people; empty when nothing does. */
function troubleOf(health: HealthBoard): string {
  return Object.values(PART_OF_FLAG)
    .map((part) => ({ part, ...health.of(part) }))
    .filter(({ state }) => state !== "RUNNING")
    .map(({ part, message }) => `${part}: ${message}`)
    .join("; ");
}

/** Which part stands for which module of the status document. */
const MODULE_PARTS = Object.freeze<ModuleParts>({
  monitor: ["status", "audit"],
  keyLatch: PART_OF_FLAG.keyLatch,
  redirector: PART_OF_FLAG.redirector,
  listener: PART_OF_FLAG.listener,
  telemetry: "telemetry",
  configuration: "configuration",
});

/** Source: agent 1.3. */
function startBanner(elapsedMs: number): string {
  const system = longSystemName(readOsRelease());
  return `============== GuestProxyAgent (${VERSION}) is starting on ${system}(${Deno.build.arch}), ` +
    `elapsed: ${elapsedMs}`;
}

function timeLimitsOf(config: Config): { readonly headMs: number; readonly idleMs: number } {
  return { headMs: config.requestHeadTimeoutMs, idleMs: config.idleConnectionTimeoutMs };
}

/** Passes a part's health on, and its milestones to the serial console: each once, until it says something else. */
function telling(part: string, reporter: HealthReporter, logs: Logs): HealthReporter {
  if (!Object.values(PART_OF_FLAG).includes(part)) return reporter;
  let said = "";
  return {
    report(state, code, message) {
      reporter.report(state, code, message);
      if (state !== "RUNNING" || message === said) return;
      said = message;
      logs.say(message);
    },
  };
}

/** Passes a part's health on, and keeps the flag of its readiness in step. The key's flag is the keeper's own business. */
function flagging(
  part: string,
  reporter: HealthReporter,
  readiness: Readiness,
  onListening: () => void,
): HealthReporter {
  const flag = (["redirector", "listener"] as const).find((name) => PART_OF_FLAG[name] === part);
  if (flag === undefined) return reporter;
  return {
    report(state, code, message) {
      reporter.report(state, code, message);
      if (state === "RUNNING" && flag === "listener") onListening();
      if (state === "RUNNING") readiness.set(flag);
      else readiness.clear(flag);
    },
  };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
