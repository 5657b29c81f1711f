/** The host is away, slow, or says what it should not: to polls, to telemetry and to what callers ask, all at once. */
import assert from "node:assert/strict";
import { type Scene, until } from "../scene.ts";
import type { Fault, FaultGroup, Shown } from "./fault.ts";

/** More than the agent takes from the host for itself. */
const HUGE_BYTES = 8_388_608;
const POLL_FAILS = ["key-latch", "status"];

/** A fault of the simulator that hits every request. */
function answers(
  name: string,
  fault: Readonly<Record<string, unknown>>,
  rest: Omit<Fault, "name" | "bring">,
): Fault {
  return {
    name,
    async bring(scene) {
      await scene.faults(fault);
      return () => scene.faults();
    },
    ...rest,
  };
}

/** What is to be told to the host is kept, and its module says so. */
async function telemetryWaits(scene: Scene): Promise<void> {
  await until("telemetry is not accepted", async () => {
    const { status, message } = await scene.moduleStatus("telemetryLoggerStatus");
    return status === "STOPPED" && message.includes("not accepted by the host");
  });
}

function pollFails(words: RegExp): Shown {
  return { module: "keyLatchStatus", state: "STOPPED", words };
}

/** Requests that get nothing usable. */
function breaks(name: string, kind: string, words: RegExp, rest: Partial<Fault> = {}): Fault {
  return answers(name, { kind }, {
    callers: [503],
    recorded: ["upstream-failed"],
    status: pollFails(words),
    doctor: POLL_FAILS,
    log: "key status is not to be had",
    during: telemetryWaits,
    ...rest,
  });
}

/** A status is the host's own word to a caller, and no document to the agent. */
function refuses(status: number): Fault {
  return answers(`host answers ${status}`, { kind: "status", status }, {
    callers: [status],
    recorded: [null],
    status: pollFails(new RegExp(`^Failed to get key status - .*answered with \`${status}\``)),
    doctor: POLL_FAILS,
    log: "key status is not to be had",
    during: telemetryWaits,
  });
}

/** Callers get what the host sent; a success like the ones before is counted. */
const PASSES = { callers: [200], recorded: null } as const;

const down: Fault = {
  name: "host down",
  async bring(scene) {
    await cable(scene, "down");
    return () => cable(scene, "up");
  },
  callers: [502, 503],
  recorded: ["upstream-unreachable", "upstream-timeout", "upstream-failed"],
  status: pollFails(/^Failed to get key status - .*no connection/),
  doctor: POLL_FAILS,
  log: "key status is not to be had",
  during: telemetryWaits,
};

async function cable(scene: Scene, state: "down" | "up"): Promise<void> {
  const { code } = await scene.world.sandbox.run(["ip", "link", "set", "eth0", state], {
    side: "host",
  });
  assert.equal(code, 0);
}

const badMode: Fault = {
  name: "host sends a policy that cannot be used",
  async bring(scene) {
    await scene.setModes({ wireserver: "sometimes", imds: "audit" });
    return () => scene.setModes({ wireserver: "enforce", imds: "enforce" });
  },
  ...PASSES,
  status: pollFails(/^Failed to get key status - .*Policy \d+ stays\.$/),
  doctor: ["key-latch", "status"],
  log: "policy of the host is refused",
};

/** Faults of the host. */
export const HOST: FaultGroup = {
  name: "host",
  options: { label: "fhost", limitMs: 240_000 },
  faults: [
    down,
    answers("host slow", { kind: "slow", ms: 700 }, {
      ...PASSES,
      status: null,
      doctor: [],
      log: null,
    }),
    answers("host silent", { kind: "hang" }, {
      callers: [503],
      recorded: ["upstream-timeout"],
      status: pollFails(/^No poll has succeeded for 3 s/),
      doctor: POLL_FAILS,
      log: null,
    }),
    breaks("host resets connections", "reset", /^Failed to get key status - .*connection broke/),
    breaks("host closes connections", "close", /^Failed to get key status - .*not an answer/),
    breaks("host sends garbage", "garbage", /^Failed to get key status - .*not an answer/),
    ...[401, 403, 410, 429, 500, 503].map(refuses),
    answers("wrong content type", { kind: "content-type", contentType: "text/html" }, {
      ...PASSES,
      status: null,
      doctor: [],
      log: null,
    }),
    answers("unknown character set", {
      kind: "content-type",
      contentType: "application/json; charset=utf-32",
    }, {
      ...PASSES,
      status: pollFails(/^Failed to get key status - .*CHARSET_UNSUPPORTED/),
      doctor: POLL_FAILS,
      log: "policy of the host is refused",
    }),
    answers("huge body", { kind: "huge-body", bytes: HUGE_BYTES }, {
      ...PASSES,
      status: pollFails(/^Failed to get key status - .*BODY_TOO_LARGE/),
      doctor: POLL_FAILS,
      log: "key status is not to be had",
    }),
    breaks("half body", "half-body", /^Failed to get key status - .*not an answer/, {
      // The answer to an upload has no body that could be halved.
      during: () => Promise.resolve(),
    }),
    answers("body that is no document", { kind: "garbage-body" }, {
      ...PASSES,
      status: pollFails(/^Failed to get key status - .*Policy \d+ stays\.$/),
      doctor: POLL_FAILS,
      log: "policy of the host is refused",
    }),
    badMode,
  ],
};
