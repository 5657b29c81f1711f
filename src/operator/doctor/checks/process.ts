import { listeningSockets } from "../../../runtime/tcp_table.ts";
import {
  type Check,
  fail,
  fine,
  judge,
  type Problem,
  RESTART,
  shellWord,
  START,
  warn,
} from "../check.ts";
import type { Machine } from "../machine.ts";
import type { Situation } from "../situation.ts";

const UNIT = "azure-proxy-agent.service";
const ROOT_UID = 0;
const GROUP_AND_OTHERS = 0o077;
const SYSTEMD_FOLDER = "/run/systemd/system";
/** More restarts of the service than this are told. */
const MANY_RESTARTS = 3;
/** Table of sockets and processes that are looked through at most. */
const LONGEST_TABLE_BYTES = 4 * 1024 * 1024;
const MOST_PROCESSES = 20_000;
const MOST_DESCRIPTORS = 4_096;
/** An agent that is well answers within milliseconds. */
const ANSWER_LIMIT_MS = 1_000;
/** Names that agents of this kind have, cut as the kernel cuts them. */
const AGENT_NAMES: ReadonlySet<string> = new Set([
  "azure-proxy-age",
  "GuestProxyAgent",
]);
/** Names of kernel programs of another agent for the same host. */
const OTHER_PROGRAMS: ReadonlySet<string> = new Set(["connect4", "tcp_v4_connect"]);

/** Who listens where the kernel programs send callers. */
export const listenerOwner: Check = {
  name: "listener",
  title: "owner of the listener's port",
  limitMs: 800,
  async run(situation) {
    const { machine, settings: { endpoints: { listener } } } = situation;
    const agent = agentOrNull(situation);
    // The agent may be in another network namespace than doctor.
    const table = await machine.readText(
      `/proc/${agent ?? "self"}/net/tcp`,
      LONGEST_TABLE_BYTES,
    ) ?? "";
    const inodes = new Set(listeningSockets(table, listener).map(({ inode }) => inode));
    const where = `${listener.address}:${listener.port}`;
    if (inodes.size === 0) {
      return fail(`nobody listens on ${where}: callers of the endpoints are refused`, START);
    }
    if (agent !== null && await holdsSocket(machine, agent, inodes)) {
      return fine(`the agent (process ${agent}) listens on ${where}`);
    }
    const owner = await findOwner(machine, inodes);
    if (owner === null) {
      const inNetwork = agent === null ? "" : `nsenter --net=/proc/${agent}/ns/net `;
      return warn(
        `it cannot be seen who listens on ${where}`,
        `look with: ${inNetwork}ss -ltnp sport = :${listener.port}`,
      );
    }
    return fail(
      `${where} belongs to process ${owner.pid} \`${owner.name}\`, not to ` +
        (agent === null ? "a running agent that redirects" : `the agent (process ${agent})`),
      `stop process ${owner.pid}, or have it listen elsewhere; the agent tries again by itself`,
    );
  },
};

function agentOrNull(situation: Situation): number | null {
  try {
    return situation.agent()?.pid ?? null;
  } catch {
    return null;
  }
}

async function holdsSocket(
  machine: Machine,
  pid: number,
  inodes: ReadonlySet<string>,
): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (
    const name of (await machine.names(folder).catch(() => null) ?? []).slice(0, MOST_DESCRIPTORS)
  ) {
    const target = await machine.linkTarget(`${folder}/${name}`).catch(() => null);
    const inode = /^socket:\[(\d+)\]$/.exec(target ?? "")?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}

async function findOwner(
  machine: Machine,
  inodes: ReadonlySet<string>,
): Promise<{ readonly pid: number; readonly name: string } | null> {
  for (const pid of await processIds(machine)) {
    if (await holdsSocket(machine, pid, inodes)) return { pid, name: await nameOf(machine, pid) };
  }
  return null;
}

async function processIds(machine: Machine): Promise<number[]> {
  const names = await machine.names("/proc") ?? [];
  return names.filter((name) => /^\d+$/.test(name)).slice(0, MOST_PROCESSES).map(Number);
}

async function nameOf(machine: Machine, pid: number): Promise<string> {
  return (await machine.readText(`/proc/${pid}/comm`, 64).catch(() => null))?.trim() ?? "";
}

/** Whether operators can ask the agent, and nobody else can. Source: ADR 0016. */
export const controlSocket: Check = {
  name: "control-socket",
  title: "control socket",
  limitMs: 2 * ANSWER_LIMIT_MS,
  async run(situation) {
    const { machine, settings: { controlSocket: path } } = situation;
    if (path === null) return fine("the configuration wants none (controlSocket is empty)");
    const facts = await machine.facts(path);
    if (facts === null) {
      return warn(`there is no socket at ${path}: top and inspect cannot ask the agent`, RESTART);
    }
    if (facts.uid !== ROOT_UID || (facts.mode & GROUP_AND_OTHERS) !== 0) {
      return fail(
        `${path} belongs to user ${facts.uid}, mode ${facts.mode.toString(8).padStart(4, "0")}`,
        `chown root:root ${shellWord(path)}; chmod 0600 ${shellWord(path)}`,
      );
    }
    try {
      await machine.ask(path, "/v1/status", ANSWER_LIMIT_MS);
    } catch (error) {
      return warn(error instanceof Error ? error.message : String(error), RESTART);
    }
    return fine(`${path} is answered, and root's alone`);
  },
};

/** Source: agent 1.7. */
export const serviceUnit: Check = {
  name: "service",
  title: "systemd unit",
  limitMs: 1_200,
  async run({ machine }) {
    if (await machine.facts(SYSTEMD_FOLDER) === null) return fine("systemd does not run here");
    const wanted = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result,MainPID";
    const told = await machine.tell(["systemctl", "show", UNIT, `--property=${wanted}`], 1_000);
    if (told === null || told.code !== 0) {
      return warn("systemctl did not answer", `ask it by hand: systemctl status ${UNIT}`);
    }
    const properties = new Map(
      told.stdout.split("\n").map((line): [string, string] => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
    const of = (name: string) => properties.get(name) ?? "";
    if (of("LoadState") !== "loaded") {
      return warn(
        `there is no unit ${UNIT} (${of("LoadState") || "unknown"})`,
        "install the package, or run the agent by another service manager",
      );
    }
    const problems: Problem[] = [];
    if (of("ActiveState") !== "active") {
      problems.push(fail(
        `${UNIT} is ${of("ActiveState")} (${of("SubState")}, ${of("Result")})`,
        `see why: journalctl -u ${UNIT} -n 50; then systemctl start ${UNIT}`,
      ));
    }
    if (of("UnitFileState") !== "enabled") {
      problems.push(warn(
        `${UNIT} is ${of("UnitFileState") || "not enabled"}: it does not start with the machine`,
        `systemctl enable ${UNIT}`,
      ));
    }
    if (Number(of("NRestarts")) > MANY_RESTARTS) {
      problems.push(warn(
        `${UNIT} was restarted ${of("NRestarts")} times`,
        `see why: journalctl -u ${UNIT} -n 200`,
      ));
    }
    return judge(problems, `${UNIT} is active and enabled`);
  },
};

/** Whether the program on the disk is the one that runs. */
export const runningVersion: Check = {
  name: "version",
  title: "version of the running agent",
  async run(situation) {
    const { machine, settings: { version } } = situation;
    const status = await situation.status();
    const problems: Problem[] = [];
    if (status !== null && status.version !== "" && status.version !== version) {
      problems.push(warn(
        `the running agent says ${status.version}, this program is ${version}`,
        RESTART,
      ));
    }
    const agent = agentOrNull(situation);
    const exe = agent === null ? null : await machine.linkTarget(`/proc/${agent}/exe`);
    if (exe?.endsWith(" (deleted)")) {
      problems.push(warn(`the running agent's file was replaced: ${exe}`, RESTART));
    }
    const runs = exe === null ? "no agent runs" : `process ${agent} runs ${exe}`;
    return judge(problems, `${version}; ${runs}`);
  },
};

/** A second agent for the same host: both would want the port and the callers. */
export const otherAgents: Check = {
  name: "other-agents",
  title: "other agents of this kind",
  limitMs: 800,
  async run(situation) {
    const { machine } = situation;
    const own = agentOrNull(situation);
    const others: { readonly pid: number; readonly name: string }[] = [];
    for (const pid of await processIds(machine)) {
      const name = await nameOf(machine, pid);
      if (pid === own || !AGENT_NAMES.has(name) || await isCommand(machine, pid)) continue;
      others.push({ pid, name });
    }
    // Where ours does not redirect it cannot be told from another: one alone is then no second one.
    const problems: Problem[] = others.slice(own === null ? 1 : 0).map(({ pid, name }) =>
      warn(
        `process ${pid} \`${name}\` looks like another agent`,
        `see what it is: ls -l /proc/${pid}/exe; keep one agent, stop the other`,
      )
    );
    const programs = seenPrograms(situation).filter(({ name }) => OTHER_PROGRAMS.has(name));
    for (const { id, name } of programs) {
      problems.push(fail(
        `program ${id} \`${name}\` of another agent stands on the cgroup`,
        "stop and remove the other agent: two of them take each other's connections",
      ));
    }
    return judge(problems, "none");
  },
};

function seenPrograms(
  situation: Situation,
): readonly { readonly id: number; readonly name: string }[] {
  try {
    return situation.redirection().attachPoints.flatMap(({ programs }) => programs);
  } catch {
    return [];
  }
}

/** Whether the process is a command of such a program, as doctor itself is, and no agent. */
async function isCommand(machine: Machine, pid: number): Promise<boolean> {
  const commandLine = await machine.readText(`/proc/${pid}/cmdline`, 4096).catch(() => null) ?? "";
  const [, first = ""] = commandLine.split("\0");
  return first !== "" && first !== "console";
}
