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
  /** Several: what the agent keeps on disk about itself. The first that is stopped speaks for all, else the first. */
  readonly monitor: readonly [string, ...string[]];
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

  /**
   * A text that changes when a reader would want a new document at once: with the state of any module and what it says, the
   * channel, the key or the policy. Not with what the monitor says, which is of the document itself.
   */
  signature(): string {
    const { monitor, ...modules } = this.#modules();
    const { secureChannelState, keyGuid, extra } = this.#options.keyLatchFacts();
    const policy = [extra?.["activePolicyEpoch"], extra?.["lastFailedInstallAt"]];
    return JSON.stringify([monitor.status, modules, secureChannelState, keyGuid, ...policy]);
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
      monitor: this.#firstStopped(parts.monitor),
      keyLatch: this.#module(parts.keyLatch),
      redirector: this.#module(parts.redirector),
      listener: this.#module(parts.listener),
      telemetry: this.#module(parts.telemetry),
      configuration: parts.configuration === undefined ? null : this.#module(parts.configuration),
    };
  }

  #firstStopped(parts: readonly [string, ...string[]]): ModuleStatus {
    const modules = parts.map((part) => this.#module(part));
    return modules.find(({ status }) => status === "STOPPED") ?? this.#module(parts[0]);
  }

  #module(part: string): ModuleStatus {
    const { state, message } = this.#options.health.of(part);
    return { status: state, message };
  }
}
