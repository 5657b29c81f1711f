import { moduleMessage } from "./module_message.ts";

/** State of a module, in the words of the document. */
export type ModuleState = "UNKNOWN" | "RUNNING" | "STOPPED";

/** What a module says about itself. */
export interface ModuleStatus {
  readonly status: ModuleState;
  readonly message: string;
}

/** Facts about the latched key and the policy. Source: agent 4.2. */
export interface KeyLatchFacts {
  readonly secureChannelState: string;
  /** `null` while no key is held. */
  readonly keyGuid: string | null;
  readonly keyIncarnationId: number | null;
  /** Raw ids as the host sent them, `""` for none. HostGAPlugin shows the one of WireServer. */
  readonly wireServerRuleId: string;
  readonly imdsRuleId: string;
  /** Members that others do not have, after theirs. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** One line of a connection summary. Source: authorization 6.5. */
export interface SummaryEntry {
  readonly userName: string;
  readonly ip: string;
  readonly port: number;
  readonly processCmdLine: string;
  /** Code and reason phrase, e.g. `200 OK`. */
  readonly responseStatus: string;
  readonly count: number;
  readonly userGroups: readonly string[] | null;
  readonly processFullPath: string | null;
}

/** How far the audit log reached on the disk a short while ago: a log that is shorter was cut. */
export interface AuditLogFacts {
  readonly seq: number;
  /** Hash of the record with that number, 64 hex digits. */
  readonly hash: string;
  /** Number of the first record that has not been deleted to make room. */
  readonly keptFromSeq: number;
}

/** Everything the aggregate status says. */
export interface AggregateFacts {
  /** Milliseconds since the epoch, by the VM's clock. */
  readonly wallMs: number;
  readonly version: string;
  readonly monitor: ModuleStatus;
  readonly keyLatch: ModuleStatus;
  readonly keyLatchFacts: KeyLatchFacts;
  readonly redirector: ModuleStatus;
  readonly listener: ModuleStatus;
  readonly telemetry: ModuleStatus;
  /** `null` or absent: nothing is said of it. */
  readonly configuration?: ModuleStatus | null;
  /** Requests since start. */
  readonly requestCount: number;
  readonly connections: readonly SummaryEntry[];
  readonly failedAuthentications: readonly SummaryEntry[];
  /** `null` or absent before there is one; the document then says nothing of it. */
  readonly auditLog?: AuditLogFacts | null;
}

/** What the document says of the agent itself. */
export type AgentFacts = Omit<
  AggregateFacts,
  "wallMs" | "connections" | "failedAuthentications" | "auditLog"
>;

/**
 * The aggregate status as JSON: `compact` for the answer to a request, `pretty` for the file. Names and order of the members
 * are a contract. Source: wire-protocol 10.3, agent 4.2.
 */
export function statusDocument(facts: AggregateFacts, form: "compact" | "pretty"): string {
  const document = {
    timestamp: statusTimestamp(facts.wallMs),
    proxyAgentStatus: agentStatusOf(facts),
    proxyConnectionSummary: facts.connections.map(entryOf),
    failedAuthenticateSummary: facts.failedAuthentications.map(entryOf),
    // DEVIATION D-112: one more member, behind those of the contract.
    ...auditLogOf(facts.auditLog ?? null),
  };
  return form === "compact" ? JSON.stringify(document) : JSON.stringify(document, null, 2);
}

/** The part about the agent itself, compact, as telemetry carries it. Source: wire-protocol 8.8. */
export function agentStatusText(facts: AgentFacts): string {
  return JSON.stringify(agentStatusOf(facts));
}

function agentStatusOf(facts: AgentFacts) {
  return {
    version: facts.version,
    status: overallState(facts),
    monitorStatus: moduleOf(facts.monitor),
    keyLatchStatus: { ...moduleOf(facts.keyLatch), states: statesOf(facts.keyLatchFacts) },
    ebpfProgramStatus: moduleOf(facts.redirector),
    proxyListenerStatus: moduleOf(facts.listener),
    telemetryLoggerStatus: moduleOf(facts.telemetry),
    proxyConnectionsCount: facts.requestCount,
    // DEVIATION D-140: one more member, behind those of the contract.
    ...configurationOf(facts.configuration ?? null),
  };
}

/** `SUCCESS` when key latch, redirector and listener are all running. Source: agent 4.2. */
export function overallState(
  facts: Pick<AggregateFacts, "keyLatch" | "redirector" | "listener">,
): "SUCCESS" | "ERROR" {
  const running = [facts.keyLatch, facts.redirector, facts.listener].every(({ status }) =>
    status === "RUNNING"
  );
  return running ? "SUCCESS" : "ERROR";
}

/** `YYYY-MM-DDTHH:MM:SS.mmm`, UTC, always three digits of a second. Source: wire-protocol S-33. */
export function statusTimestamp(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, -1);
}

function moduleOf(module: ModuleStatus): { status: ModuleState; message: string } {
  return { status: module.status, message: moduleMessage(module.message) };
}

function configurationOf(module: ModuleStatus | null) {
  return module === null ? {} : { configurationStatus: moduleOf(module) };
}

function auditLogOf(facts: AuditLogFacts | null): { auditLog?: AuditLogFacts } {
  if (facts === null) return {};
  const { seq, hash, keptFromSeq } = facts;
  return { auditLog: { seq, hash, keptFromSeq } };
}

function statesOf(facts: KeyLatchFacts): Record<string, string> {
  return {
    secureChannelState: facts.secureChannelState,
    ...(facts.keyGuid === null ? {} : { keyGuid: facts.keyGuid }),
    wireServerRuleId: facts.wireServerRuleId,
    imdsRuleId: facts.imdsRuleId,
    hostGARuleId: facts.wireServerRuleId,
    ...(facts.keyIncarnationId === null
      ? {}
      : { keyIncarnationId: String(facts.keyIncarnationId) }),
    ...facts.extra,
  };
}

function entryOf(entry: SummaryEntry): SummaryEntry {
  return {
    userName: entry.userName,
    ip: entry.ip,
    port: entry.port,
    processCmdLine: entry.processCmdLine,
    responseStatus: entry.responseStatus,
    count: entry.count,
    userGroups: entry.userGroups,
    processFullPath: entry.processFullPath,
  };
}
