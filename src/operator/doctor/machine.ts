import type { EndpointName, SocketAddress } from "../../domain/wire/mod.ts";

/** What the system says of a path; links are not followed. */
export interface FileFacts {
  readonly kind: "file" | "folder" | "link" | "other";
  /** The twelve low bits. */
  readonly mode: number;
  readonly uid: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** How a program ended. */
export interface ProgramOutput {
  readonly code: number;
  readonly stdout: string;
}

/** Room in a file system. */
export interface Space {
  readonly isReadOnly: boolean;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** 0 where the file system does not count files. */
  readonly totalFiles: number;
  readonly freeFiles: number;
}

/** A program in the kernel. */
export interface ProgramFacts {
  readonly id: number;
  readonly name: string;
  readonly uid: number;
}

/** One of our programs, by its pinned link. */
export interface LinkFacts {
  readonly program: string;
  readonly state: "attached" | "detached" | "elsewhere" | "not-pinned";
  /** The program behind the link; `null` when it is not pinned. */
  readonly programId: number | null;
}

/** A place in the kernel where programs of a cgroup run. */
export interface AttachPoint {
  /** Such as `connect4`. */
  readonly name: string;
  /** In the order of running, those of the cgroups above included. */
  readonly programs: readonly ProgramFacts[];
}

/** A program that was attached to a cgroup at or near the agent's. */
export interface PlacedProgram extends ProgramFacts {
  /** Such as `connect4`. */
  readonly point: string;
  /** Path of the cgroup. */
  readonly place: string;
}

/** The programs at and around the agent's cgroup. */
export interface PlacedPrograms {
  /** Of the cgroup and those above it at all of our attach points, of those below at the ones that decide where to connect. */
  readonly programs: readonly PlacedProgram[];
  /** Cgroups below that were looked at. */
  readonly below: number;
  /** Whether those are all. */
  readonly isWhole: boolean;
}

/** What the agent told its kernel programs. */
export interface AgentSettings {
  readonly pid: number;
  /** Whether that very process lives. */
  readonly isAlive: boolean;
  readonly netns: bigint;
  readonly listener: SocketAddress;
  readonly userLimit: number;
  readonly rootLimit: number;
}

/** A destination that the kernel programs know. */
export interface TargetFacts extends SocketAddress {
  readonly action: "enforce" | "audit" | "listener";
}

/** Everything about the redirection, read at one moment. */
export interface RedirectionFacts {
  /** Folder of the pins; `null` where no BPF file system is mounted for them. */
  readonly pinFolder: string | null;
  /** Pins of agents on other cgroups. */
  readonly otherPinFolders: readonly string[];
  readonly missingMaps: readonly string[];
  readonly links: readonly LinkFacts[];
  readonly attachPoints: readonly AttachPoint[];
  /** `null` when the map of settings is not pinned or empty. */
  readonly agent: AgentSettings | null;
  /** `null` when there was none. */
  readonly heartbeatAgeMs: number | null;
  readonly targets: readonly TargetFacts[];
  readonly liveByUser: readonly { readonly uid: number; readonly live: number }[];
  readonly recordCapacity: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly ownNetns: bigint;
}

/** What became of a connection that was begun and closed. */
export interface Dialled {
  /** Name of the error number, such as `EPERM`; `null` when it began. */
  readonly error: string | null;
  readonly localAddress: string;
}

/** The kernel's side of the machine. Functions throw where the system refuses; an Error's message says what was attempted. */
export interface KernelView {
  /** The cgroup that the agent attaches to. @throws Error with the remedy when there is none */
  cgroup(): string;
  redirection(): RedirectionFacts;
  placedPrograms(): PlacedPrograms;
  space(path: string): Space;
  clockDiscipline(): { readonly isSynchronised: boolean; readonly maxErrorMs: number };
  /** How far a hardware clock, such as the hypervisor's, is ahead of the system's, milliseconds. */
  deviceClockAheadMs(path: string): number;
  dial(to: SocketAddress, mapped: boolean): Dialled;
}

/** The machine as the checks see it. What is missing is `null`; what cannot be looked at is thrown. */
export interface Machine {
  readonly uid: number | null;
  readonly kernelRelease: string;
  /** `null` with the reason where the libraries cannot be opened. */
  readonly kernel: KernelView | { readonly missing: string };
  wallMs(): number;
  facts(path: string): Promise<FileFacts | null>;
  /** At most `mostBytes`, from the file's end where there is more and `from` says so. */
  readText(path: string, mostBytes: number, from?: "start" | "end"): Promise<string | null>;
  /** Names in a folder, at most 20,000. */
  names(path: string): Promise<readonly string[] | null>;
  linkTarget(path: string): Promise<string | null>;
  /** Whether this process may write there; the system is asked, nothing is written. */
  mayWrite(path: string): boolean;
  /** Asks a running agent over its control socket. @throws Error when none answers in time */
  ask(socket: string, path: string, limitMs: number): Promise<string>;
  /** Runs a program that only tells. `null`: there is no such program, or it did not end in time. */
  tell(command: readonly string[], limitMs: number): Promise<ProgramOutput | null>;
}

/** What the configuration and the program say. */
export interface DoctorSettings {
  /** The file that was read; `null` for the usual places. */
  readonly configFile: string | null;
  /** Why the configuration cannot be used; the other fields are then the usual ones. */
  readonly configErrors: readonly string[];
  readonly configWarnings: readonly string[];
  readonly logFolder: string | null;
  readonly statusFolder: string;
  readonly eventFolder: string;
  readonly keyFolder: string;
  readonly rulesFolder: string;
  readonly cgroupRoot: string;
  /** `null`: the configuration wants none. */
  readonly controlSocket: string | null;
  readonly pollIntervalMs: number;
  /** Where the kernel programs are looked for, in order. */
  readonly bpfObjects: Readonly<Record<"full" | "no-task-reads", readonly string[]>>;
  readonly endpoints: Readonly<Record<EndpointName | "listener", SocketAddress>>;
  readonly version: string;
  readonly executable: string;
}
