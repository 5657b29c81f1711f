import type { Attribution } from "../../domain/identity/connection_record.ts";
import type { Mode } from "../../domain/policy/snapshot.ts";
import type { EndpointName, SocketAddress } from "../../domain/wire/endpoints.ts";

/** The endpoints to redirect, with the mode of each: `audit` targets are let through when the agent's heartbeat is stale. */
export type TargetModes = Readonly<Partial<Record<EndpointName, Exclude<Mode, "disabled">>>>;

/** What a redirector says about itself. */
export interface RedirectorReport {
  /** True while every program is attached and the maps are reachable. */
  readonly attached: boolean;
  /** Which kernel object runs; `null` before the first load. */
  readonly variant: "full" | "no-task-reads" | null;
  /** Live records, and how many fit. */
  readonly records: { readonly live: number; readonly capacity: number };
  /** Named kernel counters, since the programs were loaded. */
  readonly counters: Readonly<Record<string, number>>;
}

/** One program in the kernel, and where it is attached. */
export interface AttachedProgram {
  readonly name: string;
  /** What it is attached to, in the words of `bpftool cgroup show`. */
  readonly attachPoint: string;
  readonly programId: number;
  readonly linkId: number;
  /** Inode of the cgroup's folder; decimal text, because it need not fit a JSON number. */
  readonly cgroupId: string;
}

/** What the kernel runs for us, so that somebody else can compare. */
export interface RedirectorIdentity {
  /** SHA-256, hex, of the object file that was loaded; `null` before the first load. */
  readonly objectSha256: string | null;
  /** Empty while nothing is attached. */
  readonly programs: readonly AttachedProgram[];
}

/** How many live connections to the endpoints one user may hold. */
export interface ConnectionLimits {
  readonly user: number;
  /** The same for uid 0. */
  readonly root: number;
}

/**
 * Sends the callers' connections to the listener and remembers who they are.
 * Implemented for Linux, and by a fake; the same conformance suite holds for all.
 */
export interface Redirector extends AsyncDisposable {
  /** Loads and attaches, or takes over what an earlier process left pinned. Idempotent. @throws AgentError BPF_LOAD, BPF_ATTACH, CALLERS_UNREACHABLE, CGROUP_MISSING, LIBRARY_MISSING */
  attach(signal: AbortSignal): Promise<void>;
  /** Sets the complete wanted state, not a difference. */
  setTargets(targets: TargetModes): void;
  /** Sets how many connections users may hold from now on; those that are open stay. */
  setConnectionLimits(limits: ConnectionLimits): void;
  /**
   * Who is at the other end of the accepted connection from `peer`. Synchronous, microseconds. `known` is what an earlier
   * call said of the same peer: it is handed back while it still holds, which costs less than to read everything anew.
   */
  attribute(peer: SocketAddress, known?: Attribution | null): Attribution;
  /** Tells the kernel that the agent lives. Called at least once a second. */
  beat(): void;
  /** Whether every program is still attached and every pin in its place. Synchronous, cheap enough for once a second. */
  intact(): boolean;
  /** Everything it can tell about itself; also logs what came from other network namespaces since the last time. For once a minute. */
  inspect(): RedirectorReport;
  /** What is loaded and where it is attached, asked of the kernel. For when somebody wants to know. */
  identity(): RedirectorIdentity;
  /** Detaches everything and removes the pins. */
  detach(): Promise<void>;
}
