import type { JournalLine } from "../../src/simulator/journal.ts";
import type { AuditLine, World } from "../sandbox/world.ts";
import type { Stage, Step } from "./stage.ts";

export const IMDS = "http://169.254.169.254/metadata/instance?api-version=2021-02-01";
const WIRESERVER = "http://168.63.129.16/?comp=versions";
/** An ordinary user: nobody. */
const ORDINARY = { uid: 65534, gid: 65534 };
/** Requests of one curl. */
const BURST = 50;
const ATTEMPTS_WHILE_DOWN = 20;
/** A refused connection takes well under a millisecond; this allows for starting a process. */
const AT_ONCE_MS = 500;

/** What a client saw. */
interface Answer {
  readonly status: number;
  readonly exitCode: number;
  readonly marked: boolean;
  readonly tookMs: number;
}

/** curl, unmodified, inside the VM's namespace. */
async function curl(
  world: World,
  url: string,
  user?: { readonly uid: number; readonly gid: number },
): Promise<Answer> {
  const startedAt = performance.now();
  const { code, stdout } = await world.sandbox.run([
    ...["curl", "-s", "-m", "10", "-g", "-H", "Metadata: true", "-o", "/dev/null"],
    ...["-w", "%{http_code} %header{x-ms-azure-host-authorization}", url],
  ], user === undefined ? {} : { user });
  const [status, marker] = stdout.split(" ");
  return {
    status: Number(status),
    exitCode: code,
    marked: marker === "value",
    tookMs: performance.now() - startedAt,
  };
}

/** What the simulator saw and the agent recorded while `act` ran. */
async function watch(
  world: World,
  act: () => Promise<void>,
): Promise<{ host: JournalLine[]; audit: AuditLine[] }> {
  const since = await world.simulator.lastEntry();
  const written = (await world.audit()).length;
  await act();
  return {
    host: await world.simulator.requestsSince(since),
    audit: (await world.audit()).slice(written),
  };
}

function sayAnswer(step: Step, who: string, what: string, answer: Answer): void {
  step.say(`${who} asked ${what}: ${answer.status === 0 ? "no answer" : answer.status}`);
}

/** The kernel's facts of the newest record. */
function sayRecord(step: Step, audit: readonly AuditLine[]): void {
  const line = audit.at(-1);
  if (line === undefined) return;
  const facts = ["uid", "gid", "pid", "comm", "processFullPath", "exeVerified", "ip", "port"]
    .filter((name) => line[name] !== undefined && line[name] !== null)
    .map((name) => `${name}=${String(line[name])}`);
  step.say(`the kernel recorded ${facts.join(" ")}`);
  step.say(
    `the agent decided ${String(line["decision"])} (${String(line["reason"] ?? "allowed")})`,
  );
}

/** All scenes, in their order. */
export async function playAll(stage: Stage, world: World): Promise<void> {
  await stage.step("An ordinary user reads IMDS", async (step) => {
    const { host, audit } = await watch(world, async () => {
      const answer = await curl(world, IMDS, ORDINARY);
      sayAnswer(step, "uid 65534", "IMDS", answer);
      step.check("allowed: 200", answer.status === 200);
      step.check("the answer carries the agent's mark", answer.marked);
    });
    sayRecord(step, audit);
    step.check(
      "the host saw one request, signed",
      host.length === 1 && host[0]?.verdict === "signed",
    );
    step.check("it claims isRoot=false", host[0]?.isRoot === false);
    step.check("the kernel recorded the caller's own uid", audit.at(-1)?.["uid"] === ORDINARY.uid);
  });

  await stage.step("The same user asks WireServer", async (step) => {
    const { host, audit } = await watch(world, async () => {
      const answer = await curl(world, WIRESERVER, ORDINARY);
      sayAnswer(step, "uid 65534", "WireServer", answer);
      step.check("refused: 403", answer.status === 403);
    });
    sayRecord(step, audit);
    step.check(
      "the refusal is on record: not-elevated",
      audit.at(-1)?.["reason"] === "not-elevated",
    );
    step.check("nothing reached the host", host.length === 0);
  });

  await stage.step("Root asks WireServer", async (step) => {
    const { host, audit } = await watch(world, async () => {
      const answer = await curl(world, WIRESERVER);
      sayAnswer(step, "uid 0", "WireServer", answer);
      step.check("allowed: 200", answer.status === 200);
    });
    sayRecord(step, audit);
    step.check(
      "the host saw one request, signed",
      host.length === 1 && host[0]?.verdict === "signed",
    );
    step.check("it claims isRoot=true", host[0]?.isRoot === true);
  });

  await stage.step(
    "A dual-stack client, as Java is one, dials an IPv4-mapped address",
    async (step) => {
      const { host, audit } = await watch(world, async () => {
        const answer = await curl(
          world,
          "http://[::ffff:169.254.169.254]/metadata/instance/compute?api-version=2021-02-01",
          ORDINARY,
        );
        sayAnswer(step, "uid 65534", "IMDS over an IPv6 socket", answer);
        step.check("allowed: 200", answer.status === 200);
      });
      sayRecord(step, audit);
      step.check(
        "the host saw one request, signed",
        host.length === 1 && host[0]?.verdict === "signed",
      );
    },
  );

  await stage.step("Somebody dials the agent's listener directly", async (step) => {
    const { host, audit } = await watch(world, async () => {
      const answer = await curl(world, `http://127.0.0.1:3080/?comp=versions`, ORDINARY);
      sayAnswer(step, "uid 65534", "127.0.0.1:3080", answer);
      step.check("refused: 421", answer.status === 421);
    });
    step.say(`the agent decided ${String(audit.at(-1)?.["decision"])}`);
    step.check(
      "the refusal is on record: direct-connection",
      audit.at(-1)?.["reason"] === "direct-connection",
    );
    step.check("nothing reached the host", host.length === 0);
  });

  await stage.step("The host rotates the key under load", async (step) => {
    const { host } = await watch(world, async () => {
      const enough = new AbortController();
      const load = bursts(world, enough.signal);
      await pause(300);
      const guid = await world.simulator.rotateKey();
      await untilLatched(world, guid);
      await pause(300);
      enough.abort();
      const statuses = await load;
      step.say(`key rotated to ${guid} in the middle of ${statuses.length} requests`);
      step.check("all of them were answered 200", statuses.every((status) => status === "200"));
    });
    const guids = new Set(host.map((line) => line.keyGuid));
    step.say(`the host saw ${host.length} requests under ${guids.size} keys`);
    step.check(
      "every request was properly signed",
      host.every((line) => line.verdict === "signed"),
    );
    step.check("both keys were used", guids.size === 2);
  });

  await stage.step("The agent is killed", async (step) => {
    const { host } = await watch(world, async () => {
      await world.killAgent();
      const answers: Answer[] = [];
      for (let attempt = 0; attempt < ATTEMPTS_WHILE_DOWN; attempt++) {
        answers.push(await curl(world, attempt % 2 === 0 ? IMDS : WIRESERVER));
      }
      const slowest = Math.max(...answers.map((answer) => answer.tookMs));
      step.say(`${answers.length} attempts as root, the slowest took ${slowest.toFixed(0)} ms`);
      step.check(
        "callers get an error at once",
        answers.every((answer) => answer.exitCode === CURL_CONNECTION_REFUSED) &&
          slowest < AT_ONCE_MS,
      );
    });
    step.check("nothing reached the host", host.length === 0);
  });

  await stage.step("The agent comes back", async (step) => {
    const keysBefore = await keyRequests(world);
    const { host } = await watch(world, async () => {
      const callers = new AbortController();
      const knocking = knock(world, callers.signal);
      await world.startAgent();
      const answer = await untilAnswered(world);
      callers.abort();
      const { attempts, answered } = await knocking;
      step.say(`${attempts} attempts while it started, ${answered} of them answered`);
      sayAnswer(step, "uid 0", "IMDS", answer);
      step.check("requests are served again: 200", answer.status === 200);
    });
    step.check(
      "no gap: not one unsigned request got out",
      host.every((line) => line.verdict === "signed"),
    );
    step.check(
      "the key came from the disk: none was asked for",
      await keyRequests(world) === keysBefore,
    );
  });
}

const CURL_CONNECTION_REFUSED = 7;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** An ordinary user asks IMDS in bursts over kept-alive connections, 60 s at most; the statuses. */
async function bursts(world: World, signal: AbortSignal): Promise<string[]> {
  const statuses: string[] = [];
  for (const until = performance.now() + 60_000; !signal.aborted && performance.now() < until;) {
    const { stdout } = await world.sandbox.run([
      ...["curl", "-s", "-m", "30", "-H", "Metadata: true", "-o", "/dev/null"],
      ...["-w", "%{http_code}\\n", `${IMDS}&n=[1-${BURST}]`],
    ], { user: ORDINARY });
    statuses.push(...stdout.trim().split("\n"));
  }
  return statuses;
}

/** Waits until the agent has latched this key, 20 s at most. */
async function untilLatched(world: World, guid: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { keys } = await world.simulator.call("GET", "/state") as {
      keys: { latchedGuid: string | null };
    };
    if (keys.latchedGuid === guid) return;
    await pause(100);
  }
  throw new Error("the agent did not latch the new key");
}

/** Asks without pause until told to stop. */
async function knock(
  world: World,
  signal: AbortSignal,
): Promise<{ attempts: number; answered: number }> {
  let attempts = 0;
  let answered = 0;
  while (!signal.aborted) {
    attempts++;
    if ((await curl(world, IMDS)).status === 200) answered++;
  }
  return { attempts, answered };
}

/** The first answer within 10 s that is none of a starting agent. */
async function untilAnswered(world: World): Promise<Answer> {
  for (let attempt = 0;; attempt++) {
    const answer = await curl(world, IMDS);
    if (answer.status === 200 || attempt === 100) return answer;
    await pause(100);
  }
}

/** How many keys the host handed out. */
async function keyRequests(world: World): Promise<number> {
  const page = await world.simulator.call("GET", "/journal?since=0") as { entries: JournalLine[] };
  return page.entries.filter((line) =>
    line.method === "POST" && line.target === "/secure-channel/key"
  ).length;
}
