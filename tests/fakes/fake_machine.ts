import {
  type DoctorSettings,
  type KernelView,
  type Machine,
  type RedirectionFacts,
  Situation,
} from "../../src/operator/doctor/mod.ts";
import type { FileFacts, ProgramOutput } from "../../src/operator/doctor/machine.ts";
import { ENDPOINTS } from "../../src/domain/wire/mod.ts";

/** 2026-01-06T07:08:09.123Z, as the fake clock begins. */
export const NOW_MS = Date.UTC(2026, 0, 6, 7, 8, 9, 123);
export const KEY_GUID = "9cf81e97-0316-4ad3-94a7-8ccbdee8ddbf";
export const KEY_PATH = `/keys/${KEY_GUID}.key`;
export const AGENT_PID = 4711;
const OWN_NETNS = 17n;
const NAMES = [
  ["follow_socket", "sockops"],
  ["show_peer4", "getpeername4"],
  ["show_peer6", "getpeername6"],
  ["guard_bind4", "bind4"],
  ["guard_bind6", "bind6"],
  ["redirect_connect4", "connect4"],
  ["redirect_connect6", "connect6"],
] as const;

/** A file of the fake machine; a folder is made of the names below it. */
export interface FakeFile extends Partial<FileFacts> {
  readonly text?: string;
  readonly link?: string;
}

/** A machine that is as it should be, to be broken by whoever tests. Folders exist where a file lies below them, or `folders` says so. */
export class FakeMachine implements Machine {
  uid: number | null = 0;
  kernelRelease = "6.8.0-1";
  kernel: Machine["kernel"];
  readonly files = new Map<string, FakeFile>();
  readonly folders = new Map<string, Partial<FileFacts>>();
  readonly unwritable = new Set<string>();
  /** Answers of the control socket, by their path. */
  readonly answers = new Map<string, string>();
  readonly told = new Map<string, ProgramOutput>();

  constructor(kernel: KernelView) {
    this.kernel = kernel;
  }

  wallMs(): number {
    return NOW_MS;
  }

  facts(path: string): Promise<FileFacts | null> {
    const file = this.files.get(path);
    const base = { uid: 0, sizeBytes: file?.text?.length ?? 0, modifiedMs: NOW_MS - 1000 };
    if (file !== undefined) {
      const kind = file.link === undefined ? "file" as const : "link" as const;
      return Promise.resolve({ ...base, kind, mode: 0o600, ...file });
    }
    const isFolder = this.folders.has(path) ||
      [...this.files.keys()].some((each) => each.startsWith(`${path}/`));
    if (!isFolder) return Promise.resolve(null);
    return Promise.resolve({ ...base, kind: "folder", mode: 0o700, ...this.folders.get(path) });
  }

  readText(path: string, mostBytes: number, from?: "start" | "end"): Promise<string | null> {
    const text = this.files.get(path)?.text ?? null;
    return Promise.resolve(
      from === "end" ? text?.slice(-mostBytes) ?? null : text?.slice(0, mostBytes) ?? null,
    );
  }

  names(path: string): Promise<readonly string[] | null> {
    const prefix = `${path}/`;
    const names = [...this.files.keys(), ...this.folders.keys()]
      .filter((each) => each.startsWith(prefix))
      .map((each) => each.slice(prefix.length).split("/")[0] ?? "");
    return Promise.resolve(
      names.length === 0 && !this.folders.has(path) ? null : [...new Set(names)],
    );
  }

  linkTarget(path: string): Promise<string | null> {
    return Promise.resolve(this.files.get(path)?.link ?? null);
  }

  mayWrite(path: string): boolean {
    return !this.unwritable.has(path);
  }

  ask(socket: string, path: string): Promise<string> {
    const answer = this.answers.get(path);
    return answer === undefined
      ? Promise.reject(new Error(`No agent answers at ${socket}`))
      : Promise.resolve(answer);
  }

  tell(command: readonly string[]): Promise<ProgramOutput | null> {
    return Promise.resolve(this.told.get(command[0] ?? "") ?? null);
  }
}

/** A redirection as it should be. */
export function goodRedirection(): RedirectionFacts {
  return {
    pinFolder: "/bpf/1",
    otherPinFolders: [],
    missingMaps: [],
    links: NAMES.map(([program], index) => ({
      program,
      state: "attached",
      programId: 100 + index,
    })),
    attachPoints: NAMES.map(([program, name], index) => ({
      name,
      programs: [{ id: 100 + index, name: program.slice(0, 15), uid: 0 }],
    })),
    agent: {
      pid: AGENT_PID,
      isAlive: true,
      netns: OWN_NETNS,
      listener: ENDPOINTS.listener,
      userLimit: 100,
      rootLimit: 200,
    },
    heartbeatAgeMs: 900,
    targets: [
      { ...ENDPOINTS.wireserver, action: "enforce" },
      { ...ENDPOINTS.imds, action: "audit" },
      { ...ENDPOINTS.listener, action: "listener" },
    ],
    liveByUser: [{ uid: 0, live: 3 }, { uid: 1000, live: 5 }],
    recordCapacity: 1000,
    counters: { redirected: 12, over_limit: 0, records_full: 0 },
    ownNetns: OWN_NETNS,
  };
}

/** A kernel's side as it should be. */
export function goodKernel(redirection: RedirectionFacts = goodRedirection()): KernelView {
  return {
    cgroup: () => "/sys/fs/cgroup",
    redirection: () => redirection,
    placedPrograms: () => ({
      programs: redirection.attachPoints.flatMap(({ name, programs }) =>
        programs.map((program) => ({ ...program, point: name, place: "/sys/fs/cgroup" }))
      ),
      below: 12,
      isWhole: true,
    }),
    space: () => ({
      isReadOnly: false,
      totalBytes: 10e9,
      freeBytes: 5e9,
      totalFiles: 1e6,
      freeFiles: 5e5,
    }),
    clockDiscipline: () => ({ isSynchronised: true, maxErrorMs: 2.4 }),
    deviceClockAheadMs: () => 3,
    dial: () => ({ error: null, localAddress: "127.131.2.3" }),
  };
}

/** A status document as it should be, with members of the latch's states replaced or, by `null`, left out. */
export function statusText(
  states: Readonly<Record<string, string | null>> = {},
  modules: Readonly<Record<string, { status: string; message: string }>> = {},
  version = "1.2.3",
): string {
  const running = { status: "RUNNING", message: "fine" };
  const all: Record<string, string | null> = {
    secureChannelState: "WireServer Enforce -  IMDS Audit - HostGA Enforce",
    keyGuid: KEY_GUID,
    lastPollTime: new Date(NOW_MS - 9_000).toISOString(),
    ...states,
  };
  return JSON.stringify({
    timestamp: "2026-01-06T07:08:08.000",
    proxyAgentStatus: {
      version,
      status: "SUCCESS",
      monitorStatus: running,
      keyLatchStatus: {
        ...running,
        ...modules["keyLatchStatus"],
        states: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)),
      },
      ebpfProgramStatus: running,
      proxyListenerStatus: running,
      telemetryLoggerStatus: { status: "UNKNOWN", message: "" },
      ...Object.fromEntries(
        Object.entries(modules).filter(([name]) => name !== "keyLatchStatus"),
      ),
    },
  });
}

const TCP =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0C08 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5555 1 0 100 0 0 10 0
   1: 0100007F:0C08 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 6666 1 0 100 0 0 10 0
`;

/** What is changed of the good settings. */
export type SettingsChange = Partial<DoctorSettings>;

export function goodSettings(change: SettingsChange = {}): DoctorSettings {
  return {
    configFile: "/etc/azure/proxy-agent.json",
    configErrors: [],
    configWarnings: [],
    logFolder: "/log",
    statusFolder: "/log",
    eventFolder: "/log/events",
    keyFolder: "/keys",
    rulesFolder: "/rules",
    cgroupRoot: "/sys/fs/cgroup",
    controlSocket: "/run/control.sock",
    pollIntervalMs: 15_000,
    bpfObjects: { full: ["/lib/a.o", "/lib/b.o"], "no-task-reads": ["/lib/b_no_task.o"] },
    endpoints: ENDPOINTS,
    version: "1.2.3",
    executable: "/usr/sbin/azure-proxy-agent",
    ...change,
  };
}

/** A machine on which a healthy agent runs. */
export function goodMachine(kernel: KernelView = goodKernel()): FakeMachine {
  const machine = new FakeMachine(kernel);
  const files: Record<string, FakeFile> = {
    "/sys/kernel/btf/vmlinux": { text: "btf" },
    "/lib/b.o": { text: "\x7fELF..." },
    "/lib/b_no_task.o": { text: "\x7fELF..." },
    "/etc/azure/proxy-agent.json": { text: "{}", mode: 0o644 },
    "/usr/sbin/azure-proxy-agent": { text: "x", mode: 0o755 },
    "/log/ProxyAgent.log": {
      mode: 0o640,
      text: `${logLine(NOW_MS - 90_000, "ERROR", "before the last start")}
${logLine(NOW_MS - 80_000, "INFO", "============== GuestProxyAgent (1.2.3) is starting")}
${logLine(NOW_MS - 70_000, "INFO", "all well")}
`,
    },
    "/log/status.json": { mode: 0o640, text: statusText() },
    "/run/control.sock": { kind: "other" },
    [KEY_PATH]: { text: "k".repeat(250) },
    "/proc/self/cgroup": { text: "0::/user.slice\n" },
    "/proc/self/mountinfo": {
      text: "24 30 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
    },
    "/proc/self/net/tcp": { text: TCP },
    [`/proc/${AGENT_PID}/net/tcp`]: { text: TCP },
    [`/proc/${AGENT_PID}/fd/3`]: { link: "/dev/null" },
    [`/proc/${AGENT_PID}/fd/4`]: { link: "socket:[5555]" },
    [`/proc/${AGENT_PID}/exe`]: { link: "/usr/sbin/azure-proxy-agent" },
    [`/proc/${AGENT_PID}/comm`]: { text: "azure-proxy-age\n" },
    [`/proc/${AGENT_PID}/cmdline`]: { text: "azure-proxy-agent\0" },
    [`/proc/${AGENT_PID}/limits`]: { text: "Max open files            1024    4096    files\n" },
  };
  machine.answers.set("/v1/status", "{}");
  for (const [path, file] of Object.entries(files)) machine.files.set(path, file);
  return machine;
}

/** A line of the agent's own log. */
export function logLine(wallMs: number, level: string, message: string): string {
  return `${new Date(wallMs).toISOString().slice(0, 23)} [${level}]`.padEnd(34) + message;
}

/** What a check gets to see. */
export function situationOf(
  machine: Machine = goodMachine(),
  change: SettingsChange = {},
): Situation {
  return new Situation(goodSettings(change), machine);
}
