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
import { MODULES, type Situation } from "../situation.ts";

/** The document is written each minute. */
const FRESH_MS = 150_000;
/** Polls that may be missed before it is told, beside the time of one. */
const MISSED_POLLS = 3;
const POLL_GRACE_MS = 20_000;
const FUTURE_TOLERANCE_MS = 60_000;

/** Whether the status document is there, fresh, and what it says of the modules. Source: agent 4. */
export const statusDocument: Check = {
  name: "status",
  title: "status document",
  async run(situation) {
    const { machine, statusPath } = situation;
    const status = await situation.status();
    if (status === null) return fail(`there is no status document at ${statusPath}`, START);
    const ageMs = machine.wallMs() - status.writtenAtMs;
    if (ageMs > FRESH_MS) {
      return fail(
        `${statusPath} is ${Math.round(ageMs / 1000)} s old: no agent writes it any more`,
        `${START}; if it runs, see disk and the log`,
      );
    }
    const problems: Problem[] = [];
    for (const [name, outcome] of Object.entries(MODULES)) {
      const module = status.modules.get(name);
      const isBad = outcome === "FAIL"
        ? module?.status !== "RUNNING"
        : module?.status === "STOPPED";
      if (!isBad) continue;
      const found = `${name} is ${module?.status || "missing"}: ${module?.message ?? ""}`;
      problems.push({ outcome, found, remedy: `see the agent's log; else ${RESTART}` });
    }
    return judge(problems, `${Math.max(0, Math.round(ageMs / 1000))} s old, all modules run`);
  },
};

/** Which state the channel to the host is in, and when the host last answered. Source: agent 1.5, 4.2. */
export const keyLatch: Check = {
  name: "key-latch",
  title: "key latch and last poll",
  async run(situation) {
    const { settings: { pollIntervalMs, endpoints } } = situation;
    const status = await situation.status();
    if (status === null) return warn("there is no status document to look at", START);
    const latch = status.modules.get("keyLatchStatus");
    const channel = status.states.get("secureChannelState") ?? "";
    const polledAt = Date.parse(status.states.get("lastPollTime") ?? "");
    const host = `${endpoints.wireserver.address}:${endpoints.wireserver.port}`;
    const problems: Problem[] = [];
    if (latch?.status !== "RUNNING") {
      problems.push(fail(
        `the key latch is ${latch?.status || "unknown"}: ${latch?.message ?? ""}`,
        `see whether the host answers the agent at ${host}, and the agent's log`,
      ));
    }
    if (Number.isNaN(polledAt)) {
      problems.push(fail("the host has not answered yet", `see whether ${host} can be reached`));
    } else {
      // The document is as old as its file: polls after it are not in it.
      const silentMs = status.writtenAtMs - polledAt;
      if (silentMs > MISSED_POLLS * pollIntervalMs + POLL_GRACE_MS) {
        problems.push(fail(
          `the host last answered ${Math.round(silentMs / 1000)} s before the status was written`,
          `see whether ${host} can be reached`,
        ));
      }
    }
    if (channel !== "disabled" && channel !== "Unknown" && !status.states.has("keyGuid")) {
      problems.push(fail("the channel is on, and no key is held", "see the agent's log"));
    }
    const refused = status.states.get("lastFailedInstallReason");
    if (refused !== undefined) {
      problems.push(warn(
        `a policy of the host was refused at ${
          status.states.get("lastFailedInstallAt")
        }: ${refused}`,
        "correct the policy at the host; the one before it stays in use",
      ));
    }
    const key = status.states.get("keyGuid") ?? "none";
    const polled = Number.isNaN(polledAt) ? "never" : new Date(polledAt).toISOString();
    return judge(
      problems,
      `channel ${channel || "unknown"}, key ${key}, host last answered ${polled}`,
    );
  },
};

/** Clocks of hypervisors, by the name that the kernel gives them. */
const HYPERVISOR_CLOCKS: ReadonlySet<string> = new Set(["hyperv", "KVM virtual PTP"]);
const SKEW_WARN_MS = 5_000;
const SKEW_FAIL_MS = 300_000;
const SET_CLOCK = "keep it right with chrony or systemd-timesyncd: timedatectl set-ntp true";

/**
 * The clock against the hypervisor's where there is one, against the one that the host told the agent, and whether something
 * keeps it right. What the agent signs carries the host's own time; tokens and certificates of callers do not. No request is
 * made.
 */
export const clock: Check = {
  name: "clock",
  title: "clock",
  async run(situation) {
    const { machine, kernel } = situation;
    const problems: Problem[] = [];
    const status = await situation.status();
    if (status !== null && status.writtenAtMs > machine.wallMs() + FUTURE_TOLERANCE_MS) {
      problems.push(warn("the status document is from the future: the clock went back", SET_CLOCK));
    }
    const seen: string[] = [];
    const compare = (aheadMs: number, amount: string, whose: string) => {
      const side = aheadMs > 0 ? "behind" : "ahead of";
      const found = `${amount} ${side} the ${whose}'s`;
      seen.push(found);
      if (Math.abs(aheadMs) > SKEW_FAIL_MS) problems.push(fail(`the clock is ${found}`, SET_CLOCK));
      else if (Math.abs(aheadMs) > SKEW_WARN_MS) {
        problems.push(warn(`the clock is ${found}`, SET_CLOCK));
      }
    };
    const device = await hypervisorClock(situation);
    if (device !== null) {
      const aheadMs = kernel.deviceClockAheadMs(device);
      compare(aheadMs, `${Math.abs(aheadMs).toFixed(0)} ms`, "hypervisor");
    }
    const hostAheadS = Number(status?.states.get(HOST_CLOCK_STATE) ?? NaN);
    if (!Number.isNaN(hostAheadS)) {
      compare(1000 * hostAheadS, `${Math.abs(hostAheadS)} s`, "host");
    }
    const { isSynchronised, maxErrorMs } = kernel.clockDiscipline();
    if (!isSynchronised) {
      problems.push(warn(
        "nothing keeps the clock right: the kernel calls it unsynchronised",
        SET_CLOCK,
      ));
    }
    if (seen.length === 0) seen.push("nothing of the host's to compare with");
    return judge(problems, `${seen.join(", ")}, kept right to ${Math.ceil(maxErrorMs)} ms`);
  },
};

/** The member of the status document that tells how far the host's clock is ahead, whole seconds. */
const HOST_CLOCK_STATE = "hostClockAheadInSeconds";

async function hypervisorClock({ machine }: Situation): Promise<string | null> {
  for (const name of await machine.names("/sys/class/ptp") ?? []) {
    if (!/^ptp\d+$/.test(name)) continue;
    const kind = await machine.readText(`/sys/class/ptp/${name}/clock_name`, 64);
    if (HYPERVISOR_CLOCKS.has(kind?.trim() ?? "")) return `/dev/${name}`;
  }
  return null;
}

const LOG_NAME = "ProxyAgent.log";
const LOG_TAIL_BYTES = 512 * 1024;
const RECENT_MS = 24 * 3_600_000;
const MOST_QUOTED = 3;
const LOG_LINE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}) \[(ERROR|WARN|INFO)\] +(.*)$/;

/** The last errors and warnings of the agent's own log, of the last 24 hours and since its last start. Source: agent 8.1. */
export const logErrors: Check = {
  name: "log-errors",
  title: "last errors in the agent's log",
  async run({ machine, settings: { logFolder } }) {
    if (logFolder === null) return fine("the configuration keeps no log (logFolder is empty)");
    const path = `${logFolder}/${LOG_NAME}`;
    const text = await machine.readText(path, LOG_TAIL_BYTES, "end");
    if (text === null) return warn(`there is no log at ${path}`, START);
    const since = machine.wallMs() - RECENT_MS;
    let errors: string[] = [];
    let warnings: string[] = [];
    for (const line of text.split("\n")) {
      const [, time, level, message = ""] = LOG_LINE.exec(line) ?? [];
      if (time === undefined || Date.parse(`${time}Z`) < since) continue;
      if (message.includes(" is starting")) [errors, warnings] = [[], []];
      else if (level === "ERROR") errors.push(`${time}Z ${message}`);
      else if (level === "WARN") warnings.push(`${time}Z ${message}`);
    }
    const told = [...errors.slice(-MOST_QUOTED), ...warnings.slice(-MOST_QUOTED)].slice(
      0,
      MOST_QUOTED,
    );
    if (told.length === 0) return fine("no error and no warning since the last start");
    const counts = `${errors.length} errors and ${warnings.length} warnings since the last start`;
    return warn(
      `${counts}: ${told.map((line) => line.slice(0, 400).toWellFormed()).join(" | ")}`,
      `read them: grep -E '\\[(ERROR|WARN)\\]' ${shellWord(path)} | tail`,
    );
  },
};
