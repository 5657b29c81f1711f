/**
 * What a row of the fault matrix is made of. The rows are in the files beside this one, `matrix.ts` has them all,
 * `endure.ts` puts an agent through one, and `docs/faults.md` tells people what they say.
 */
import type { Scene, SceneOptions } from "../scene.ts";

/** Modules of the status document, by their members' names. */
export type ModuleName =
  | "monitorStatus"
  | "keyLatchStatus"
  | "ebpfProgramStatus"
  | "proxyListenerStatus"
  | "telemetryLoggerStatus"
  | "configurationStatus";

/** What a module of the status document says. */
export interface Shown {
  readonly module: ModuleName;
  readonly state: "RUNNING" | "STOPPED";
  readonly words: RegExp;
  /** The file cannot be written: only the agent itself can be asked. */
  readonly askedOnly?: boolean;
}

/** One fault: how it comes, what is seen of it, and how it goes. Whatever it says is asserted. */
export interface Fault {
  /** As the document names it. */
  readonly name: string;
  /** Brings the fault in; what is returned ends it. */
  bring(scene: Scene): Promise<() => Promise<void>>;
  /** What an allowed request gets meanwhile, of IMDS and of WireServer alike: one of these. */
  readonly callers: readonly number[];
  /** Reasons that the record of such a request may tell; `null` where it is one of many alike, which are counted. */
  readonly recorded: readonly (string | null)[] | null;
  /** What the status tells; `null` where there is nothing to tell. */
  readonly status: Shown | null;
  /** Checks of doctor that fail, beside others; none where the list is empty; `null` where it is not asked. */
  readonly doctor: readonly string[] | null;
  /** Words of a line in the agent's own log; `null` where the fault is not told there. */
  readonly log: string | null;
  /** The agent is started anew with the fault in place, and it is that process which heals. */
  readonly atStart?: boolean;
  /** Callers go straight to the host meanwhile: it refuses what is not signed. */
  readonly goesPast?: boolean;
  /** The agent signs with a wrong key until the host has told it so. */
  readonly signsWrongly?: boolean;
  /** The agent holds another key afterwards. */
  readonly newKey?: boolean;
  /** What else is to be seen while it lasts. */
  during?(scene: Scene): Promise<void>;
  /** What else is to be seen once it is over. */
  after?(scene: Scene): Promise<void>;
}

/** Faults that one agent goes through in a row. */
export interface FaultGroup {
  readonly name: string;
  readonly options: SceneOptions;
  /** What is done before the agent is started. */
  prepare?(scene: Scene): Promise<void>;
  readonly faults: readonly Fault[];
}
