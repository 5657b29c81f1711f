import {
  type Check,
  fail,
  fine,
  judge,
  ownCommand,
  type Problem,
  RESTART,
  shellWord,
  START,
  warn,
} from "../check.ts";
import type { PlacedProgram } from "../machine.ts";
import type { Situation } from "../situation.ts";

/** A heartbeat that is older makes the kernel let audited targets through. */
const HEARTBEAT_STALE_MS = 5_000;
/** Attach points whose programs can change where a connection goes. */
const DECIDING_POINTS: ReadonlySet<string> = new Set(["connect4", "connect6"]);

/** Source: ADR 0009. */
export const pins: Check = {
  name: "pins",
  title: "pinned links and maps",
  run(situation) {
    const { pinFolder, otherPinFolders, missingMaps, links } = situation.redirection();
    if (pinFolder === null) {
      return fail("no BPF file system is mounted for the pins, so no agent redirects here", START);
    }
    const missing = [
      ...links.filter(({ state }) => state === "not-pinned").map(({ program }) => program),
      ...missingMaps,
    ];
    const problems: Problem[] = [];
    if (missing.length === links.length + missingMaps.length && links.length > 0) {
      problems.push(fail(`nothing is pinned in ${pinFolder}: no agent redirects here`, START));
    } else if (missing.length > 0) {
      problems.push(fail(`missing in ${pinFolder}: ${missing.join(", ")}`, RESTART));
    }
    if (otherPinFolders.length > 0) {
      problems.push(warn(
        `there are pins of an agent on another cgroup: ${otherPinFolders.join(", ")}`,
        `if no such agent runs, remove them: rm -r ${otherPinFolders.map(shellWord).join(" ")}`,
      ));
    }
    return judge(problems, `all ${links.length} links are pinned in ${pinFolder}`);
  },
};

/** Whether each program stands where it has to, by its own link and by the list of the attach point. */
export const attachPoints: Check = {
  name: "attach-points",
  title: "programs at their attach points",
  run(situation) {
    const { links, attachPoints } = situation.redirection();
    const running = new Set(attachPoints.flatMap(({ programs }) => programs.map(({ id }) => id)));
    const problems: Problem[] = [];
    for (const { program, state, programId } of links) {
      if (state === "detached") {
        problems.push(fail(`${program} was detached from its cgroup`, `${MENDS}; else ${RESTART}`));
      } else if (state === "elsewhere") {
        problems.push(fail(`${program} is attached to another cgroup or attach point`, RESTART));
      } else if (state === "not-pinned") {
        problems.push(fail(`${program} is not attached`, START));
      } else if (programId !== null && !running.has(programId)) {
        problems.push(fail(`${program} is linked, but its attach point does not run it`, RESTART));
      }
    }
    return judge(problems, `all ${links.length} programs run at their attach points`);
  },
};

const MENDS = "a running agent mends it within seconds";

/**
 * Programs of others around ours: on the same cgroup or one above, whose programs run after ours, or on one below, whose
 * programs run before. They may change or refuse connections. What runs for the cgroup but was attached to none that can be
 * seen stands above the root of this cgroup namespace.
 */
export const foreignPrograms: Check = {
  name: "foreign-programs",
  title: "programs of others around ours",
  limitMs: 2_000,
  run(situation) {
    const { kernel } = situation;
    const { links, attachPoints } = situation.redirection();
    const { programs, below, isWhole } = kernel.placedPrograms();
    const placed = new Set(programs.map(({ id }) => id));
    const unplaced = attachPoints.flatMap(({ name: point, programs }) =>
      programs.filter(({ id }) => !placed.has(id))
        .map((program) => ({ ...program, point, place: "a cgroup above" }))
    );
    const ours = new Set(links.map(({ programId }) => programId));
    const own = kernel.cgroup();
    const foreign = [...programs, ...unplaced].filter(({ id }) => !ours.has(id));
    // Not all may be told: those that can do most come first.
    foreign.sort((left, right) => Number(isDeciding(right)) - Number(isDeciding(left)));
    const problems = foreign.map((program) => {
      const { id, name, uid, point, place } = program;
      return warn(
        `${point} of ${place} ${place === own ? "also " : ""}runs program ${id} \`${name}\`, ` +
          `loaded by user ${uid}` +
          (isDeciding(program) ? ", which can change where connections go" : ""),
        `find whose it is: bpftool prog show id ${id}`,
      );
    });
    if (!isWhole) {
      problems.push(warn(
        `there are more than ${below} cgroups below ${own}; the others were not looked at`,
        `look at all of them: bpftool cgroup tree ${shellWord(own)}`,
      ));
    }
    const points = attachPoints.map(({ name }) => name).join(", ");
    return judge(problems, `none at ${points} of ${own}, and none on the ${below} cgroups below`);
  },
};

function isDeciding({ point }: PlacedProgram): boolean {
  return DECIDING_POINTS.has(point);
}

/** Whether the process that the kernel programs belong to lives and beats. */
export const agentProcess: Check = {
  name: "agent-process",
  title: "the agent's process",
  run(situation) {
    const { agent, heartbeatAgeMs } = situation.redirection();
    if (agent === null) return fail("the kernel programs know no agent", START);
    if (!agent.isAlive) {
      return fail(
        `the agent (process ${agent.pid}) is gone and has left its kernel programs: callers are refused`,
        START,
      );
    }
    if (heartbeatAgeMs === null || heartbeatAgeMs > HEARTBEAT_STALE_MS) {
      const age = heartbeatAgeMs === null ? "none yet" : `${Math.round(heartbeatAgeMs)} ms old`;
      return fail(
        `process ${agent.pid} lives, but its last heartbeat is ${age}: it hangs, is stopped, or cannot listen`,
        `look at the listener and the log below; ${RESTART}`,
      );
    }
    return fine(`process ${agent.pid}, last heartbeat ${Math.round(heartbeatAgeMs)} ms ago`);
  },
};

/**
 * Whether a connection to a metadata endpoint gets to the agent. For each target in the kernel's map a connection is begun and
 * closed at once; nothing is sent on it. A redirected socket has a source out of 127.128.0.0/9 from the moment connect()
 * begins, any other one an address of a network device.
 */
export const bypassProbes: Check = {
  name: "bypass-probes",
  title: "connections to the endpoints reach the agent",
  async run(situation) {
    const { kernel, settings } = situation;
    const { endpoints } = settings;
    const redirection = situation.redirection();
    const { agent, targets } = redirection;
    if (agent === null) return fail("nothing is redirected: there is no agent", START);
    if (agent.netns !== redirection.ownNetns) {
      return warn(
        "the agent is in another network namespace; connections from this one are not redirected",
        `run doctor in the agent's: nsenter --net=/proc/${agent.pid}/ns/net ${
          ownCommand("doctor", settings)
        }`,
      );
    }
    const isBelow = await standsBelow(situation, kernel.cgroup());
    if (!isBelow) {
      return warn(
        `doctor does not run below ${kernel.cgroup()}, so its own connections are not redirected`,
        "run doctor from a process of that cgroup, or set cgroupRoot to the root of the cgroups",
      );
    }
    const probed: string[] = [];
    const problems: Problem[] = [];
    for (const name of ["wireserver", "imds", "hostga"] as const) {
      const endpoint = endpoints[name];
      const isTarget = targets.some(({ address, port, action }) =>
        action !== "listener" && address === endpoint.address && port === endpoint.port
      );
      if (!isTarget) continue;
      for (const mapped of [false, true]) {
        const where = `${mapped ? "::ffff:" : ""}${endpoint.address} port ${endpoint.port}`;
        const { error, localAddress } = kernel.dial(endpoint, mapped);
        if (error !== null) {
          problems.push(fail(
            `a connection to ${where} (${name}) failed at once: ${error}`,
            error === "EPERM"
              ? "the kernel programs refused it: look at occupancy; else " + RESTART
              : "look at the listener; else " + RESTART,
          ));
        } else if (!isNumberedSource(localAddress)) {
          problems.push(fail(
            `a connection to ${where} (${name}) left from ${localAddress} and was not redirected`,
            "look at attach-points and foreign-programs; " + RESTART,
          ));
        } else probed.push(where);
      }
    }
    if (probed.length + problems.length === 0) {
      return fine("the host wants no endpoint redirected; nothing was dialled");
    }
    return judge(
      problems,
      `redirected: ${probed.join(", ")}; each was dialled and closed, nothing was sent`,
    );
  },
};

/** Whether this very process is in the cgroup or one below it. Source: cgroups(7). */
async function standsBelow(situation: Situation, cgroupPath: string): Promise<boolean> {
  const { machine } = situation;
  const own = /^0::(.*)$/m.exec(await machine.readText("/proc/self/cgroup", 65_536) ?? "")?.[1];
  const mounts = await machine.readText("/proc/self/mountinfo", 1_048_576) ?? "";
  for (const line of mounts.split("\n")) {
    const [mount, source] = line.split(" - ");
    if (source?.split(" ")[0] !== "cgroup2" || own === undefined) continue;
    const point = mount?.split(" ")[4] ?? "";
    const place = `${point}${own === "/" ? "" : own}/`;
    if (place.startsWith(`${cgroupPath}/`)) return true;
  }
  return false;
}

function isNumberedSource(address: string): boolean {
  const [first, second = 0] = address.split(".").map(Number);
  return first === 127 && second >= 128;
}

/** Share of a limit from which it is told. */
const NEARLY_FULL = 0.8;
/** Counters of connections that were turned away or lost, and what to do. */
const LOSSES = Object.freeze({
  over_limit: "raise maxConnectionsPerUser or maxConnectionsOfRoot, or find out who opens so many",
  no_storage: "the kernel is short of memory: free some",
  records_full: "the table of connections was full: lower maxConnectionsPerUser",
  no_settings: RESTART,
});

/** How full the limits of connections and descriptors are. */
export const occupancy: Check = {
  name: "occupancy",
  title: "connections and descriptors",
  async run(situation) {
    const { agent, liveByUser, recordCapacity, counters } = situation.redirection();
    const problems: Problem[] = [];
    const live = liveByUser.reduce((sum, each) => sum + each.live, 0);
    if (live > NEARLY_FULL * recordCapacity) {
      problems.push(
        warn(`${live} of ${recordCapacity} connections are on record`, LOSSES.records_full),
      );
    }
    for (const { uid, live } of liveByUser) {
      const limit = uid === 0 ? agent?.rootLimit : agent?.userLimit;
      if (limit !== undefined && live > NEARLY_FULL * limit) {
        problems.push(warn(`user ${uid} has ${live} of ${limit} connections`, LOSSES.over_limit));
      }
    }
    for (const [name, remedy] of Object.entries(LOSSES)) {
      const count = counters[name] ?? 0;
      if (count > 0) {
        problems.push(
          warn(`${name} was counted ${count} times since the programs were loaded`, remedy),
        );
      }
    }
    const descriptors = agent?.isAlive ? await descriptorsOf(situation, agent.pid) : null;
    if (descriptors !== null && descriptors.open > NEARLY_FULL * descriptors.limit) {
      problems.push(warn(
        `the agent has ${descriptors.open} of ${descriptors.limit} descriptors open`,
        "raise LimitNOFILE= in its unit",
      ));
    }
    const held = descriptors === null
      ? ""
      : `, ${descriptors.open} of ${descriptors.limit} descriptors`;
    return judge(problems, `${live} of ${recordCapacity} connections${held}`);
  },
};

async function descriptorsOf(
  { machine }: Situation,
  pid: number,
): Promise<{ readonly open: number; readonly limit: number } | null> {
  const limits = await machine.readText(`/proc/${pid}/limits`, 65_536);
  const limit = /^Max open files +(\d+)/m.exec(limits ?? "")?.[1];
  const open = await machine.names(`/proc/${pid}/fd`);
  return limit === undefined || open === null ? null : { open: open.length, limit: Number(limit) };
}
