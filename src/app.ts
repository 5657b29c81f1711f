import { auditPart, FileAuditTrail } from "./agent/audit/mod.ts";
import { Resolver } from "./agent/caller/mod.ts";
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
  RuleDumps,
  StatusWriter,
} from "./agent/status/mod.ts";
import { Upstream } from "./agent/upstream/mod.ts";
import type { Config } from "./config.ts";
import { redact, redactedText } from "./domain/identity/mod.ts";
import { ENDPOINTS } from "./domain/wire/mod.ts";
import type { RunOptions } from "./commands/run_agent.ts";
import { openPlatform, type Platform } from "./platform/platform.ts";
import { Backoff, DEFAULT_BACKOFF } from "./runtime/backoff.ts";
import { Cell } from "./runtime/cell.ts";
import type { Clock } from "./runtime/clock.ts";
import { AgentError } from "./runtime/errors.ts";
import { LogHub, type LogOutput } from "./runtime/log_hub.ts";
import { ConsoleSink, FileSink, lossNotice } from "./runtime/log_sinks.ts";
import { openPrivateFolder } from "./runtime/files.ts";
import type { Logger } from "./runtime/logger.ts";
import type { HealthReporter, Part } from "./runtime/part.ts";
import { RollingFile } from "./runtime/rolling_file.ts";
import { slicedBy } from "./runtime/slices.ts";
import { type Supervised, Supervisor } from "./runtime/supervisor.ts";
import { SystemClock } from "./runtime/system_clock.ts";
import { VERSION } from "./version.ts";

/** The agent's log. Source: agent.md 8.1. */
const LOG_FILE_NAME = "ProxyAgent.log";
/** Folders of the kernel objects of a source tree, behind the installed one. */
const BUILD_FOLDER = new URL("../build/bpf", import.meta.url).pathname;
/** Longest part of the orderly stop: open requests are given this long to end. */
const LISTENER_STOP_MS = 7_000;
/** A terminal or journal that does not read holds up the end no longer than this. */
const TERMINAL_DRAIN_MS = 1_000;

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
  const startedAtMs = clock.monotonicMs();
  const logs = openLogs(config, options, clock);
  const { logger } = logs;
  logger.info(`============== GuestProxyAgent (${VERSION}) is starting`, {
    kernel: Deno.osRelease(),
    arch: Deno.build.arch,
    elapsedMs: Math.round(clock.monotonicMs() - startedAtMs),
  });
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
    return await superviseAgent(config, platform, logger, signal);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    logger.error("the agent cannot run", { code: error.code, error: error.message });
    return 1;
  } finally {
    logger.info("============== GuestProxyAgent has stopped");
    await logs.close();
  }
}

/** The log and its end. */
interface Logs {
  readonly logger: Logger;
  close(): Promise<void>;
}

function openLogs(config: Config, options: RunOptions, clock: Clock): Logs {
  const terminal = new ConsoleSink(Deno.stdout, Deno.stderr);
  const outputs: LogOutput[] = [{ sink: terminal, level: config.fileLogLevelForSystemEvents }];
  const file = config.logFolder === null ? null : new RollingFile({
    folder: config.logFolder,
    name: LOG_FILE_NAME,
    clock,
    lossNotice: (lost) => lossNotice(clock.wallMs(), lost),
    onTrouble: (cause) => {
      if (options.foreground && cause !== null) {
        terminal.write({ wallMs: clock.wallMs(), level: "error", message: `log file: ${cause}` });
      }
    },
  });
  if (config.logFolder !== null) closeFolder(config.logFolder);
  if (file !== null) {
    file.open();
    outputs.push({ sink: new FileSink(file), level: config.fileLogLevel });
  }
  return {
    logger: new LogHub({ clock, redact, outputs }).logger(),
    close: async () => {
      file?.close();
      await Promise.race([terminal.drain(), clock.sleep(TERMINAL_DRAIN_MS)]);
    },
  };
}

/** Closes the log folder to strangers. Where that fails the file says so itself, and is tried again. */
function closeFolder(folder: string): void {
  try {
    openPrivateFolder(folder, isLogFolderEntry);
  } catch {
    // See above.
  }
}

/** Runs all parts. They start in the order of the list and stop in the opposite one: the listener first, the records last. */
async function superviseAgent(
  config: Config,
  platform: Platform,
  logger: Logger,
  signal: AbortSignal,
): Promise<number> {
  const { clock } = platform;
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
  });
  const readiness = new Readiness({
    clock,
    logger,
    tags: new TagFiles(config.latchKeyFolder, clock),
    messageOf: (flag) => health.of(PART_OF_FLAG[flag]).message,
  });
  const keeper = new KeyKeeper({
    clock,
    logger,
    host: new TcpHostChannel(ENDPOINTS, new Exchange(clock), hostClock, pace),
    store: platform.keyStore,
    epochs,
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
    keyLatchFacts: () => keeper.facts(),
  });
  const provision = new ProvisionEndpoint(readiness, keeper);
  const upstream = new Upstream({ clock });
  const proxy = new Proxy({
    clock,
    hostClock,
    endpoints: ENDPOINTS,
    redirector: platform.redirector,
    resolver: new Resolver(platform.inspector, platform.accounts),
    snapshot,
    audit,
    upstream,
    localEndpoints: {
      provision: (headers) => provision.answer(headers),
      aggregatedStatus: () => status.document("compact"),
    },
    logger: logger.child("proxy"),
    random: Math.random,
    limits: { headMs: config.requestHeadTimeoutMs, idleMs: config.idleConnectionTimeoutMs },
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
  const parts: Supervised[] = [
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
    { part: serviceWatch(platform), upWithinMs: null },
    { part: reconciler },
    { part: keeper, upWithinMs: null },
    { part: proxy, stopWithinMs: LISTENER_STOP_MS },
  ];
  const onListening = () => {
    reconciler.listening();
    platform.serviceNotify.ready();
  };
  const supervisor = new Supervisor({
    clock,
    logger,
    random: Math.random,
    health: (part) => flagging(part, health.reporter(part), readiness, onListening),
  });
  signal.addEventListener("abort", () => platform.serviceNotify.stopping(), { once: true });
  const outcome = await supervisor.run(parts, signal);
  upstream.close();
  if (outcome.kind === "never-up") logger.error("a part never came up", { part: outcome.part });
  return outcome.kind === "stopped" && outcome.late.length === 0 ? 0 : 1;
}

/** Names of the parts behind the readiness flags. */
const PART_OF_FLAG: Readonly<Record<ReadinessFlag, string>> = Object.freeze({
  redirector: "redirector",
  keyLatch: "key_keeper",
  listener: "proxy-listener",
});

/** Which part stands for which module of the status document. */
const MODULE_PARTS = Object.freeze({
  monitor: "status",
  keyLatch: PART_OF_FLAG.keyLatch,
  redirector: PART_OF_FLAG.redirector,
  listener: PART_OF_FLAG.listener,
  telemetry: "telemetry",
});

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

/** Tells a watching service manager that the event loop runs. */
function serviceWatch(platform: Platform): Part {
  return {
    name: "service",
    async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
      const { clock, serviceNotify, watchdogEveryMs } = platform;
      health.report("RUNNING", "SERVICE", "Service manager is told");
      while (!signal.aborted) {
        serviceNotify.watchdog();
        await clock.sleep(watchdogEveryMs ?? UNWATCHED_MS, signal);
      }
    },
  };
}

const UNWATCHED_MS = 3_600_000;

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
