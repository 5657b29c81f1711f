import assert from "node:assert/strict";
import { denoEnvironment } from "../../../tools/setup/mod.ts";
import { IMDS, INSTANCE, NOBODY, type Scene, until, WIRESERVER } from "../scene.ts";
import type { Fault, ModuleName } from "./fault.ts";

const AS_NOBODY = { user: NOBODY };
/** An interval between polls, one to write; and a busy machine. */
const NOTICED_WITHIN_MS = 10_000;
const HEALED_WITHIN_MS = 20_000;
const STATUS_URL = `http://${WIRESERVER}/gpa-aggregated-status`;
/** Modules without which the agent does not do its work. */
const NEEDED: readonly ModuleName[] = [
  "keyLatchStatus",
  "ebpfProgramStatus",
  "proxyListenerStatus",
];

/** The part of the status document that is looked at. */
type AgentStatus = Readonly<Record<string, { readonly status: string; readonly message: string }>>;

/** What must be the same after a fault. */
interface Identity {
  readonly process: string;
  readonly key: string;
  readonly channel: string;
  readonly epoch: number;
}

/** Puts the running agent through one fault, from its coming to the time when all is as before. */
export async function endure(scene: Scene, fault: Fault): Promise<void> {
  const before = fault.atStart ? null : await identity(scene);
  const unsigned = await notSigned(scene, fault);
  const logged = fault.log === null ? 0 : (await scene.logLines(fault.log)).length;
  const end = await fault.bring(scene);
  const process = processOf(scene);
  try {
    await Promise.all([
      assertCallersGet(scene, fault),
      assertShows(scene, fault).then(() => assertDoctorFinds(scene, fault.doctor)),
    ]);
    const { log } = fault;
    if (log !== null) {
      await until(`the log says ${log}`, async () => (await scene.logLines(log)).length > logged);
    }
    await fault.during?.(scene);
  } finally {
    await end();
  }
  await healed(scene);
  await fault.after?.(scene);
  const after = await identity(scene);
  assert.equal(after.process, process, "the same process");
  if (before !== null) {
    assert.equal(after.process, before.process, "the same process");
    assert.equal(after.channel, before.channel, "the policy is the one before");
    assert.ok(after.epoch >= before.epoch, "policies are counted on");
    if (fault.newKey) assert.notEqual(after.key, before.key);
    else assert.equal(after.key, before.key, "the key is the one before");
  }
  if (!fault.goesPast) {
    assert.equal(await notSigned(scene, fault), unsigned, "nothing left unsigned");
  }
}

/** Waits until all modules run, and callers of both endpoints are served with a signature of the latched key. */
export async function healed(scene: Scene): Promise<void> {
  let shown: AgentStatus = {};
  const runs = async () => {
    shown = await fileStatus(scene);
    return String(shown["status"]) === "SUCCESS" &&
      Object.entries(shown).every(([name, { status }]) =>
        !name.endsWith("Status") || status === "RUNNING"
      );
  };
  await until("all modules run", () => runs().catch(() => false), HEALED_WITHIN_MS)
    .catch((error) => {
      throw new Error(`${error.message}; the status is ${JSON.stringify(shown)}`);
    });
  for (const url of urls("healed")) {
    const { value, host } = await scene.observe(() => scene.statusOf(url, callerOf(url)));
    const ours = host.filter(({ target }) => url.endsWith(target));
    assert.deepEqual(
      [value, ours.map(({ verdict, key }) => [verdict, key])],
      [200, [["signed", "latched"]]],
      url,
    );
  }
}

/** What an allowed request gets, what is recorded of it, and that what is forbidden stays so. */
async function assertCallersGet(scene: Scene, fault: Fault): Promise<void> {
  const name = fault.name.replaceAll(/\W+/g, "-");
  if (!fault.goesPast) {
    const forbidden = `http://${WIRESERVER}/?comp=versions&of=${name}`;
    assert.equal(await scene.statusOf(forbidden, AS_NOBODY), 403, "the policy is in force");
  }
  await Promise.all(urls(name).map((url) => assertCallerGets(scene, fault, url)));
}

async function assertCallerGets(scene: Scene, fault: Fault, url: string): Promise<void> {
  const { answer } = await scene.curl(["-H", "Metadata: true", url], callerOf(url));
  const status = answer?.status ?? 0;
  assert.ok(fault.callers.includes(status), `${status} for ${url}`);
  if (status >= 400 && !fault.goesPast) assert.equal(answer?.body, "");
  if (fault.recorded === null) return;
  const record = async () =>
    (await scene.world.audit()).findLast((line) => url.endsWith(String(line["url"])));
  await until(`a record of ${url}`, async () => await record() !== undefined);
  const { reason } = await record() ?? {};
  assert.ok(fault.recorded.includes(reason as string | null), `${reason} for ${url}`);
}

/** A target of its own for each question, so that each is told by a record of its own. */
function urls(of: string): readonly [string, string] {
  const unique = `of=${of}-${crypto.randomUUID().slice(0, 8)}`;
  return [`http://${IMDS}${INSTANCE}&${unique}`, `http://${WIRESERVER}/?comp=versions&${unique}`];
}

/** IMDS is for everybody, WireServer for root. */
function callerOf(url: string): { readonly user?: typeof NOBODY } {
  return url.includes(IMDS) ? AS_NOBODY : {};
}

/** What the status says: the message within an interval, the state when three intervals have passed. */
async function assertShows(scene: Scene, { status: wanted }: Fault): Promise<void> {
  if (wanted === null) return;
  const { module, state, words, askedOnly } = wanted;
  const read = () => askedOnly ? askedStatus(scene) : fileStatus(scene);
  let shown: AgentStatus = {};
  const wait = (what: string, holds: (of: AgentStatus[string]) => boolean) =>
    until(what, async () => {
      shown = await read().catch(() => ({}));
      return shown[module] !== undefined && holds(shown[module]);
    }, NOTICED_WITHIN_MS).catch((error) => {
      throw new Error(`${error.message}; it shows ${JSON.stringify(shown[module])}`);
    });
  await wait(`${module} says ${words}`, ({ message }) => words.test(message));
  await wait(`${module} is ${state}`, ({ status }) => status === state);
  const isError = state === "STOPPED" && NEEDED.includes(module);
  assert.equal(String(shown["status"]), isError ? "ERROR" : "SUCCESS");
}

async function fileStatus(scene: Scene): Promise<AgentStatus> {
  return (await scene.world.status())["proxyAgentStatus"] as AgentStatus;
}

/** What the agent answers to who asks it; also where no file can be written. */
async function askedStatus(scene: Scene): Promise<AgentStatus> {
  const { answer } = await scene.curl(["-m", "5", "-H", "Metadata: true", STATUS_URL]);
  return JSON.parse(answer?.body ?? "{}").proxyAgentStatus;
}

interface Told {
  readonly check: string;
  readonly outcome: string;
}

async function assertDoctorFinds(scene: Scene, wanted: readonly string[] | null): Promise<void> {
  if (wanted === null) return;
  const { sandbox, program, configFile } = scene.world;
  const { stdout, stderr } = await sandbox.run(
    [...program, "doctor", "--config", configFile, "--json"],
    { env: denoEnvironment() },
  );
  assert.notEqual(stdout, "", stderr);
  const { checks } = JSON.parse(stdout) as { checks: Told[] };
  const failed = checks.filter(({ outcome }) => outcome === "FAIL");
  if (wanted.length === 0) assert.deepEqual(failed, [], "doctor finds no failure");
  for (const name of wanted) {
    assert.ok(failed.some(({ check }) => check === name), `${name} in ${JSON.stringify(failed)}`);
  }
}

async function identity(scene: Scene): Promise<Identity> {
  const latch = (await fileStatus(scene))["keyLatchStatus"] as unknown as {
    states: Readonly<Record<string, string>>;
  };
  return {
    process: processOf(scene),
    key: latch.states["keyGuid"] ?? "",
    channel: latch.states["secureChannelState"] ?? "",
    epoch: Number(latch.states["activePolicyEpoch"]),
  };
}

/** Number and start of the agent's process. */
function processOf(scene: Scene): string {
  const { agentPid } = scene.world;
  const stat = Deno.readTextFileSync(`/proc/${agentPid}/stat`);
  return `${agentPid} ${stat.slice(stat.lastIndexOf(")")).split(" ")[20]}`;
}

/** Requests that left without a signature, or with a wrong one where none may be wrong. */
async function notSigned(scene: Scene, { signsWrongly }: Fault): Promise<number> {
  return Object.values(await scene.verdicts())
    .reduce((sum, { unsigned, bad }) => sum + unsigned + (signsWrongly ? 0 : bad), 0);
}
