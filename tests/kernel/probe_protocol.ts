/** What the tests and the probe, which runs inside the sandbox, say to each other: one JSON value a line. */
import type { TargetModes } from "../../src/agent/redirector/redirector.ts";

/** How a probe is set up; its only argument. */
export interface ProbeOptions {
  readonly cgroup: string;
  readonly bpfFolder: string;
  /** Paths of the two kernel objects. */
  readonly fullObject: string;
  readonly noTaskObject: string;
  readonly userConnectionLimit: number;
  readonly rootConnectionLimit: number;
  readonly staleAfterMs: number;
  /** Set before the programs are attached; `null` leaves what an earlier process pinned. */
  readonly targets: TargetModes | null;
  /** Whether it listens where callers are sent. */
  readonly listen: boolean;
  /** Whether the programs are attached before the probe says that it is ready. */
  readonly attach: boolean;
}

/** Something the probe is asked to do. */
export type ProbeOrder =
  | { readonly do: "attach" }
  | { readonly do: "attribute"; readonly address: string; readonly port: number }
  | { readonly do: "beat"; readonly on: boolean }
  | { readonly do: "check"; readonly cookie: string }
  | { readonly do: "descriptors" }
  | { readonly do: "detach" }
  | { readonly do: "dial"; readonly url: string }
  | { readonly do: "end" }
  | { readonly do: "inspect" }
  | { readonly do: "log" }
  | { readonly do: "process"; readonly cookie: string }
  | { readonly do: "tally" }
  | { readonly do: "targets"; readonly modes: TargetModes };

/** The probe's answer to one order. Big integers travel as decimal text. */
export type ProbeAnswer =
  | { readonly ok: true; readonly value: unknown }
  | {
    readonly ok: false;
    readonly code: string;
    readonly message: string;
    readonly detail: string;
  };

/** What the probe answers to a request, about whoever sent it. */
export interface Seen {
  /** `host` when the request reached the other end of the cable. */
  readonly by: "agent" | "host";
  readonly peer: { readonly address: string; readonly port: number };
  readonly kind: "redirected" | "direct" | "unattributed";
  /** Of a direct connection. */
  readonly uid?: number;
  readonly record?: SeenRecord;
  readonly process?: SeenProcess;
}

/** A connection record as JSON. */
export interface SeenRecord {
  readonly cookie: string;
  readonly source: { readonly address: string; readonly port: number };
  readonly netns: string;
  readonly destination: { readonly address: string; readonly port: number };
  readonly uid: number;
  readonly gid: number;
  readonly process: { readonly tgid: number; readonly startedAtBootNs: string };
  readonly comm: string;
  readonly exe: { readonly device: string; readonly inode: string };
  readonly cgroupId: string;
  readonly connectedAtBootNs: string;
}

/** What the inspector said about the caller. */
export interface SeenProcess {
  readonly exe:
    | { readonly kind: "verified"; readonly path: string }
    | { readonly kind: "unverified"; readonly shownPath: string; readonly doubt: string };
  readonly commandLine: string;
  readonly check: "same" | "changed" | "gone";
}

/** Counts of requests that brought claims about their own connection with them. */
export interface Tally {
  readonly requests: number;
  /** The record said exactly what the client claims. */
  readonly matched: number;
  /** The record said something else: must stay 0. */
  readonly mismatched: number;
  /** No record was there any more, or the connection was contested. */
  readonly unattributed: number;
  /** Those of them whose client had not bound its own source address and had not gone: must stay 0. */
  readonly lost: number;
  /** The first few mismatches, for people. */
  readonly examples: readonly string[];
}
