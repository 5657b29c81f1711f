import type { Caller } from "../../domain/identity/caller.ts";
import { truncateText } from "../../runtime/log_line.ts";

/** Most UTF-16 units of a command line, a user or group name, and a path. */
const LONGEST_COMMAND_LINE = 256;
const LONGEST_NAME = 128;
const LONGEST_PATH = 4096;
/** Most groups of a user that are listed. */
const MOST_GROUPS = 64;

/** What the log and the status say about a caller and what its requests are grouped by: cut to size. */
export interface CallerFacts {
  /** `null` without a caller, and so is `exeVerified`. */
  readonly uid: number | null;
  readonly userId: number;
  readonly userName: string;
  readonly userGroups: readonly string[];
  readonly processFullPath: string;
  readonly processCmdLine: string;
  readonly runAsElevated: boolean;
  readonly exeVerified: boolean | null;
}

/** Stands in where there is no caller. Source: authorization 5.2. */
export const NOBODY: CallerFacts = Object.freeze({
  uid: null,
  userId: 0,
  userName: "empty",
  userGroups: Object.freeze([]),
  processFullPath: "empty",
  processCmdLine: "empty",
  runAsElevated: false,
  exeVerified: null,
});

/** The facts of a caller. An unknown account is called `undefined`. Source: authorization 5.2, 5.4, 6.3. */
export function callerFacts(caller: Caller | null): CallerFacts {
  if (caller === null) return NOBODY;
  const { record, account, exe } = caller;
  return {
    uid: record.uid,
    userId: record.uid,
    userName: truncateText(account?.userName ?? "undefined", LONGEST_NAME),
    userGroups: account === null ? [] : cutGroups(account.groups),
    processFullPath: truncateText(exe.kind === "verified" ? exe.path : exe.shownPath, LONGEST_PATH),
    processCmdLine: truncateText(caller.commandLine, LONGEST_COMMAND_LINE),
    runAsElevated: caller.elevated,
    exeVerified: exe.kind === "verified",
  };
}

/** What only our records tell about a caller. Numbers that may not fit a JSON number are decimal text. */
export interface KernelFacts {
  readonly uid: number | null;
  readonly gid: number | null;
  readonly pid: number | null;
  /** Nanoseconds since boot. */
  readonly pidStartTime: string | null;
  readonly comm: string | null;
  readonly exeVerified: boolean | null;
  readonly exeDoubt: string | null;
  /** The bytes of a path that is no UTF-8; left out for every other one. Source: authorization W-20. */
  readonly exePathHex?: string;
  /** `major:minor:inode`. */
  readonly exeDevIno: string | null;
  readonly cgroup: string | null;
  readonly netns: string | null;
}

const UNKNOWN: KernelFacts = Object.freeze({
  uid: null,
  gid: null,
  pid: null,
  pidStartTime: null,
  comm: null,
  exeVerified: null,
  exeDoubt: null,
  exeDevIno: null,
  cgroup: null,
  netns: null,
});

/** The kernel's facts of a caller; all `null` without one. Source: authorization 7.4. */
export function kernelFacts(caller: Caller | null): KernelFacts {
  if (caller === null) return UNKNOWN;
  const { record, exe } = caller;
  return {
    uid: record.uid,
    gid: record.gid,
    pid: record.process.tgid,
    pidStartTime: String(record.process.startedAtBootNs),
    comm: truncateText(record.comm, LONGEST_NAME),
    exeVerified: exe.kind === "verified",
    exeDoubt: exe.kind === "verified" ? null : exe.doubt,
    ...(exe.kind === "verified" || exe.pathHex === undefined
      ? {}
      : { exePathHex: exe.pathHex.slice(0, 2 * LONGEST_PATH) }),
    exeDevIno: `${record.exe.device >> 20n}:${record.exe.device & 0xfffffn}:${record.exe.inode}`,
    cgroup: String(record.cgroupId),
    netns: String(record.netns),
  };
}

function cutGroups(groups: readonly string[]): readonly string[] {
  const fits = groups.length <= MOST_GROUPS && groups.every((name) => name.length <= LONGEST_NAME);
  if (fits) return groups;
  return groups.slice(0, MOST_GROUPS).map((name) => truncateText(name, LONGEST_NAME));
}
