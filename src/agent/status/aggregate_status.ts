import {
  type AgentFacts,
  agentStatusText,
  type AggregateFacts,
  type AuditLogFacts,
  type KeyLatchFacts,
  type ModuleStatus,
  overallState,
  statusDocument,
  type SummaryEntry,
} from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { HealthBoard } from "./health.ts";

/** Which part of the program stands for which module of the document. */
export interface ModuleParts {
  readonly monitor: string;
  readonly keyLatch: string;
  readonly redirector: string;
  readonly listener: string;
  readonly telemetry: string;
  readonly configuration?: string;
}

/** Counts of requests, as the audit trail keeps them. */
export interface RequestCounts {
  readonly requestCount: number;
  connectionSummary(): readonly SummaryEntry[];
  failedAuthenticationSummary(): readonly SummaryEntry[];
  /** How far the audit log reaches; `null` or absent where that is not known. */
  readonly anchor?: AuditLogFacts | null;
}

export interface AggregateStatusOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly health: HealthBoard;
  readonly parts: ModuleParts;
  readonly counts: RequestCounts;
  /** Facts about key and channel, of the moment. */
  readonly keyLatchFacts: () => KeyLatchFacts;
}

/** Puts the aggregate status together. Source: agent 4.1 to 4.3, wire-protocol 10.3. */
export class AggregateStatus {
  readonly #options: AggregateStatusOptions;

  constructor(options: AggregateStatusOptions) {
    this.#options = options;
  }

  /** The document of this moment: `compact` for an answer, `pretty` for the file. */
  document(form: "compact" | "pretty"): string {
    const { clock, counts } = this.#options;
    const facts: AggregateFacts = {
      ...this.#agentFacts(),
      wallMs: clock.wallMs(),
      connections: counts.connectionSummary(),
      failedAuthentications: counts.failedAuthenticationSummary(),
      auditLog: counts.anchor ?? null,
    };
    return statusDocument(facts, form);
  }

  /** What the document says of the agent itself, compact. */
  agentStatus(): string {
    return agentStatusText(this.#agentFacts());
  }

  /** `SUCCESS` while key latch, redirector and listener are all running. */
  overall(): "SUCCESS" | "ERROR" {
    return overallState(this.#modules());
  }

  /** A text that changes when a reader would want a new document at once: with any module's state, the channel, the key or the policy. */
  signature(): string {
    const { keyLatch, redirector, listener, telemetry, configuration } = this.#modules();
    const { secureChannelState, keyGuid, extra } = this.#options.keyLatchFacts();
    const states = [keyLatch, redirector, listener, telemetry].map((module) => module.status);
    const settings = configuration === null
      ? ""
      : `${configuration.status} ${configuration.message}`;
    const policy = [extra?.["activePolicyEpoch"], extra?.["lastFailedInstallAt"]];
    return [...states, settings, secureChannelState, keyGuid, ...policy].join("\n");
  }

  #agentFacts(): AgentFacts {
    const { counts, keyLatchFacts, version } = this.#options;
    return {
      ...this.#modules(),
      version,
      keyLatchFacts: keyLatchFacts(),
      requestCount: counts.requestCount,
    };
  }

  #modules() {
    const { parts } = this.#options;
    return {
      monitor: this.#module(parts.monitor),
      keyLatch: this.#module(parts.keyLatch),
      redirector: this.#module(parts.redirector),
      listener: this.#module(parts.listener),
      telemetry: this.#module(parts.telemetry),
      configuration: parts.configuration === undefined ? null : this.#module(parts.configuration),
    };
  }

  #module(part: string): ModuleStatus {
    const { state, message } = this.#options.health.of(part);
    return { status: state, message };
  }
}
