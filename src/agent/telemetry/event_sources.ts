import {
  ENDPOINT_NAMES,
  type EndpointName,
  escapeXml,
  MAX_MODULE_MESSAGE_BYTES,
} from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Scalar } from "../../runtime/errors.ts";
import type { LogFields, LogLevel } from "../../runtime/logger.ts";
import type { HealthReporter, HealthState } from "../../runtime/part.ts";
import { RateLimit } from "../../runtime/rate_limit.ts";
import type { EventRecorder } from "./recorder.ts";

/** What is redirected, and how; `null` while that is not decided. */
type Targets = Readonly<Partial<Record<EndpointName, string>>> | null;

/** A part that flaps must not drive everything else out of the queue. */
const MODULE_LIMITS = { burst: 60, perSecond: 0.2 } as const;

/** Modules of the status document as events call them, by part. Source: wire-protocol 8.8, as for all names here. */
const MODULES: ReadonlyMap<string, string> = new Map([
  ["key_keeper", "KeyKeeper"],
  ["redirector", "Redirector"],
  ["proxy-listener", "ProxyServer"],
  ["telemetry", "TelemetryLogger"],
  ["status", "ProxyAgentStatus"],
]);
const POLL = { task: "poll_secure_channel_status", operation: "key_keeper" } as const;
/** Health codes of the key keeper that are milestones. */
const KEY_MILESTONES = new Set(["KEY_FROM_DISK", "KEY_ATTESTED", "CHANNEL_DISABLED"]);
/** Health codes of a listener that could not be bound. */
const BIND_FAILURES = new Set(["port-taken", "bind-failed"]);
/** Health codes of a redirector that stopped and has not failed to start. */
const DETACHED = new Set(["redirector-detached", "redirector-stopped"]);
/** Log lines about local rule files are named like their events. */
const RULE_FILE_TASKS = new Set([
  "LocalFileRulesStateChanged",
  "LocalRulesFileParseSuccess",
  "LocalRulesFileParseFailed",
  "LocalRulesFileMetadataReadFailed",
]);

export interface EventSourcesOptions {
  readonly clock: Clock;
  readonly recorder: Pick<EventRecorder, "emit">;
  /** Monotonic milliseconds at which the program started. */
  readonly startedAtMs: number;
  /** What events about redirection call their author, such as `redirector/linux`. */
  readonly redirector: string;
}

/** Makes events of what the parts report anyway: their health, a few log lines, the targets. Source: wire-protocol 8.8. */
export class EventSources {
  readonly #options: EventSourcesOptions;
  readonly #modules = new RateLimit(MODULE_LIMITS);
  #wanted: NonNullable<Targets> = {};
  #targets: NonNullable<Targets> = {};
  #isAttached = false;
  #hasListened = false;

  constructor(options: EventSourcesOptions) {
    this.#options = options;
  }

  /** Passes a part's health on, and makes events of its changes. */
  watched(part: string, reporter: HealthReporter): HealthReporter {
    const module = MODULES.get(part);
    if (module === undefined) return reporter;
    const before = { state: "UNKNOWN" as HealthState, code: "", message: "" };
    return {
      report: (state, code, message) => {
        reporter.report(state, code, message);
        if (message !== before.message && this.#modules.admit(this.#options.clock.monotonicMs())) {
          this.#moduleMessage(module, state, message);
          if (state === "STOPPED") this.#failed(part, code, message);
        }
        if (state === "RUNNING" && before.state !== "RUNNING") this.#started(part, message);
        if (KEY_MILESTONES.has(code) && code !== before.code) this.#milestone(POLL, message);
        Object.assign(before, { state, code, message });
        if (part === "redirector") this.#isAttached = state === "RUNNING";
        if (part === "proxy-listener" && state === "RUNNING") this.#hasListened = true;
        this.#tellTargets();
      },
    };
  }

  /** Sees log lines before they are formatted. */
  logged(level: LogLevel, part: string | null, text: string, fields: LogFields): void {
    const emit = (as: LogLevel, task: string, operation: string, message: string) =>
      this.#options.recorder.emit({ level: as, task, operation, message });
    if (RULE_FILE_TASKS.has(text)) {
      emit(level, text, shown(fields["operation"]), shown(fields["message"]));
    } else if (part === "key_keeper" && text === "key status changed") {
      const message = `Got key status successfully: ${shown(fields["summary"])}.`;
      emit("warn", POLL.task, POLL.operation, message);
    } else if (part === "key_keeper" && text === "stored key is unusable") {
      emit("info", POLL.task, POLL.operation, `${text}: ${shown(fields["cause"])}`);
    } else if (part === "provision" && text === "provisioning did not finish in time") {
      emit("error", "write_provision_state", "provision", escapeXml(shown(fields["missing"])));
    }
  }

  /** Takes what is to be redirected. It is told of when it is: with programs in the kernel, and after somebody listened. */
  targetsChanged(targets: Targets): void {
    this.#wanted = targets ?? {};
    this.#tellTargets();
  }

  /** Tells what became redirected and what did not any more. */
  #tellTargets(): void {
    const { recorder, redirector: operation } = this.#options;
    const now = this.#isAttached && this.#hasListened ? this.#wanted : {};
    for (const endpoint of ENDPOINT_NAMES) {
      const [was, is] = [this.#targets[endpoint], now[endpoint]];
      if (was === is) continue;
      const message = is === undefined
        ? `${endpoint} is not redirected any more`
        : `${endpoint} is redirected, mode ${is}`;
      recorder.emit({ level: "info", task: "update_redirect_policy_internal", operation, message });
    }
    this.#targets = now;
  }

  /** The first request of its kind in a quarter of an hour, as JSON. */
  connection(text: string): void {
    const { recorder } = this.#options;
    const task = "log_connection_summary";
    recorder.emit({ level: "info", task, operation: "proxy_server", message: text });
  }

  #moduleMessage(module: string, state: HealthState, message: string): void {
    const { recorder } = this.#options;
    const task = "set_module_status_message";
    recorder.emit({ level: "warn", task, operation: module, message });
    if (new TextEncoder().encode(message).length <= MAX_MODULE_MESSAGE_BYTES) return;
    recorder.emit({ level: "warn", task: "get_status", operation: state, message });
  }

  #started(part: string, message: string): void {
    if (part === "proxy-listener") {
      this.#milestone({ task: "start", operation: "proxy_server" }, message);
    } else if (part === "redirector") {
      this.#milestone({ task: "start", operation: "redirector" }, message);
      this.#start("info", "redirector", message);
    }
  }

  #failed(part: string, code: string, message: string): void {
    if (part === "proxy-listener" && BIND_FAILURES.has(code)) {
      this.#start("warn", "proxy_server", message);
    } else if (part === "redirector" && !DETACHED.has(code)) {
      this.#start("warn", this.#options.redirector, message);
      this.#start("error", "redirector", message);
    }
  }

  #start(level: LogLevel, operation: string, message: string): void {
    this.#options.recorder.emit({ level, task: "start", operation, message });
  }

  /** An event that says how long after the start it happened. */
  #milestone(who: { readonly task: string; readonly operation: string }, text: string): void {
    const { clock, recorder, startedAtMs } = this.#options;
    const elapsed = Math.round(clock.monotonicMs() - startedAtMs);
    const message = `{"elapsed":${elapsed}, "message":${JSON.stringify(text)}}`;
    recorder.emit({ level: "info", ...who, message });
  }
}

function shown(value: Scalar | undefined): string {
  return value === undefined || value === null ? "" : String(value);
}
