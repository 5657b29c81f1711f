import type { HostChannel } from "./agent/host/mod.ts";
import type { AgentSnapshot } from "./agent/key_keeper/mod.ts";
import type { AggregateStatus } from "./agent/status/mod.ts";
import {
  EventFiles,
  EventRecorder,
  EventSink,
  EventSources,
  loadXmlReader,
  TappedLogger,
  Telemetry,
  type TelemetrySettings,
  Uploader,
  VmFactsSource,
} from "./agent/telemetry/mod.ts";
import type { Config } from "./config.ts";
import type { MachineFacts } from "./domain/wire/mod.ts";
import type { Cell } from "./runtime/cell.ts";
import type { Clock } from "./runtime/clock.ts";
import type { LogSink } from "./runtime/log_hub.ts";
import type { Logger } from "./runtime/logger.ts";
import { type LostLines, RollingFile } from "./runtime/rolling_file.ts";
import { longSystemName, readOsRelease } from "./system_name.ts";
import { VERSION } from "./version.ts";

/** Every event, as a line of JSON, whether events are uploaded or not. */
const EVENT_LOG = { name: "ProxyAgent.Events.ndjson", maxBytes: 5 * 1024 * 1024, maxFiles: 3 };
/** What the agent is called where it reports its state. Source: agent 1.1. */
const SERVICE = "azure-proxy-agent";
/** What events about redirection call their author. Source: wire-protocol 8.8. */
const REDIRECTOR = "redirector/linux";
const BYTES_PER_MIB = 1024 * 1024;

/** What the upload needs of the rest of the agent. */
export interface TelemetryNeeds {
  readonly host: HostChannel;
  readonly snapshot: Cell<AgentSnapshot>;
  readonly status: Pick<AggregateStatus, "overall" | "agentStatus">;
  readonly isProvisioned: () => boolean;
  readonly logger: Logger;
}

/** Telemetry of a run: it collects from the first line of the log on; the upload is a part that comes later. */
export class AppTelemetry {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #lines: RollingFile | null;
  readonly #recorder: EventRecorder;
  readonly sources: EventSources;

  constructor(config: Config, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#lines = config.logFolder === null ? null : new RollingFile({
      folder: config.logFolder,
      clock,
      lossNotice: (lost) => lossLine(clock.wallMs(), lost),
      ...EVENT_LOG,
    });
    const recorder = new EventRecorder({
      clock,
      version: VERSION,
      pid: Deno.pid,
      lines: this.#lines,
      forUpload: config.telemetryUpload,
    });
    this.#recorder = recorder;
    this.sources = new EventSources({ clock, recorder, startedAtMs: 0, redirector: REDIRECTOR });
  }

  /** Takes log lines and makes events of them. */
  get sink(): LogSink {
    return new EventSink(this.#recorder, this.#clock);
  }

  /** The logger, some of whose lines are events of their own. */
  tapped(logger: Logger): Logger {
    return new TappedLogger(
      logger,
      (level, part, text, fields) => this.sources.logged(level, part, text, fields),
    );
  }

  /** The part that keeps and uploads. */
  part(needs: TelemetryNeeds): Telemetry {
    const { host, snapshot, status, isProvisioned, logger } = needs;
    const clock = this.#clock;
    const config = this.#config;
    const facts = new VmFactsSource({
      clock,
      host,
      key: () => snapshot.get().key,
      machine: machineFacts(),
      loadXmlReader,
    });
    return new Telemetry({
      clock,
      logger,
      random: Math.random,
      recorder: this.#recorder,
      files: new EventFiles({
        clock,
        logger: logger.child("telemetry"),
        folder: config.eventFolder,
        ownerUid: Deno.uid() ?? 0,
        maxFiles: config.maxEventFileCount,
      }),
      uploader: new Uploader({ host, facts }),
      settings: telemetrySettingsOf(config),
      isProvisioned,
      service: SERVICE,
      status: () => ({ success: status.overall() === "SUCCESS", message: status.agentStatus() }),
    });
  }

  /** Writes what waits for the local file. */
  close(): void {
    this.#lines?.close();
  }
}

/** What a configuration says that can change while the agent runs. */
export function telemetrySettingsOf(config: Config): TelemetrySettings {
  const { telemetryUpload: upload, maxEventFileCount: maxFiles } = config;
  return { upload, maxFiles, intervalMs: config.telemetryIntervalMs };
}

function machineFacts(): MachineFacts {
  return {
    cpuArchitecture: Deno.build.arch,
    osVersion: longSystemName(readOsRelease()),
    ramMiB: Math.floor(Deno.systemMemoryInfo().total / BYTES_PER_MIB),
    processors: navigator.hardwareConcurrency,
  };
}

function lossLine(wallMs: number, { count, sinceWallMs, cause }: LostLines): string {
  const [time, since] = [wallMs, sinceWallMs].map((ms) => new Date(ms).toISOString());
  return JSON.stringify({ notice: "lost", ts: time, count, since, cause });
}
