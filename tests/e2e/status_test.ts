/** What the status document, `/provision` and `--status` say while things go wrong around the agent. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { kernelObjectsOf } from "../../tools/demo/kernel_objects.ts";
import type { JournalLine } from "../../src/simulator/journal.ts";
import { bpftool } from "../kernel/kernel_objects.ts";
import { PYTHON, Talker } from "../kernel/machine.ts";
import { e2eTest, NOBODY, pause, type Scene, until, VERSIONS, WIRESERVER } from "./scene.ts";

const AS_NOBODY = { user: NOBODY };
const PROVISION_URL = "http://127.0.0.1:3080/provision";
const METADATA = ["-H", "Metadata: true"];
const NO_CHANNEL = { kind: "reset", endpoint: "wireserver", path: "/secure-channel" };

interface Told {
  readonly outcome: string;
  readonly exitCode: number;
  readonly finished: boolean | null;
  readonly missing: readonly { readonly part: string; readonly message: string }[];
  readonly error: { readonly code: string } | null;
}

/** Runs `--status --json` with detailed exit codes. */
async function asked(scene: Scene, ...args: string[]): Promise<Told> {
  const { program, sandbox } = scene.world;
  const words = ["--status", "--json", "--detailed-exit-codes", ...args];
  const { code, stdout } = await sandbox.run([...program, ...words], { env: denoEnvironment() });
  const told = JSON.parse(stdout) as Told;
  assert.equal(told.exitCode, code);
  return told;
}

async function overall(scene: Scene): Promise<unknown> {
  return (await scene.world.status() as { proxyAgentStatus: { status: unknown } })
    .proxyAgentStatus.status;
}

async function latchStates(scene: Scene): Promise<Readonly<Record<string, string>>> {
  const module = await scene.moduleStatus("keyLatchStatus");
  return (module as unknown as { states: Record<string, string> }).states;
}

/** Waits until `status.json` shows this of a module. */
async function shows(
  scene: Scene,
  module: string,
  status: string,
  words: RegExp,
  limitMs = 8_000,
): Promise<void> {
  await until(`${module} is ${status} with ${words}`, async () => {
    const now = await scene.moduleStatus(module).catch(() => null);
    return now?.status === status && words.test(now.message);
  }, limitMs);
}

e2eTest("status.json is there from the start, and names what fails before the host was heard", {
  label: "zero",
  started: false,
}, async (scene) => {
  await scene.faults(NO_CHANNEL);
  await scene.world.spawnAgent();
  await until("it is written", () => scene.world.status().then(() => true, () => false), 15_000);
  assert.equal(await overall(scene), "ERROR");
  await shows(scene, "keyLatchStatus", "UNKNOWN", /^Failed to get key status - /);
  await shows(scene, "ebpfProgramStatus", "RUNNING", /^Started Redirector with eBPF maps - \d+$/);
  await shows(scene, "proxyListenerStatus", "RUNNING", /^Started proxy listener, ready to/);
  const states = await latchStates(scene);
  assert.equal(states["secureChannelState"], "Unknown");
  assert.equal(states["keyGuid"], undefined);
  assert.equal(await overall(scene), "ERROR");

  const told = await asked(scene);
  assert.deepEqual([told.outcome, told.missing.map(({ part }) => part)], [
    "unfinished",
    ["keyLatchStatus"],
  ]);
  await scene.step("root is told why, others which part", async () => {
    const line = async (options = {}) =>
      (await scene.curl([...METADATA, PROVISION_URL], options)).answer?.body ?? "";
    assert.match(
      await line(),
      /^\{"finished":false,"errorMessage":"keyLatchStatus - Failed to get key status - .+\\r\\n"\}$/,
    );
    assert.equal(
      await line(AS_NOBODY),
      '{"finished":false,"errorMessage":"keyLatchStatus - not ready; root is told why\\r\\n"}',
    );
  });
  await scene.faults();
  await shows(scene, "keyLatchStatus", "RUNNING", /^Successfully attest the key/);
  await until("all is well", async () => await overall(scene) === "SUCCESS");
  assert.equal((await asked(scene)).outcome, "finished");
});

e2eTest("each trouble shows in status.json as itself, and goes by itself", {
  label: "troubles",
  started: false,
}, async (scene) => {
  const { world } = scene;
  const logs = `${world.sandbox.folder}/small`;
  const config = JSON.parse(await Deno.readTextFile(world.configFile));
  await Deno.writeTextFile(
    world.configFile,
    JSON.stringify({ ...config, logFolder: logs, statusFolder: world.logFolder }),
  );
  await Deno.mkdir(logs, { mode: 0o750 });
  const mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0750", "tmpfs", logs];
  assert.equal((await world.sandbox.run(mount, { inCgroup: false })).code, 0);
  await world.startAgent();
  await shows(scene, "keyLatchStatus", "RUNNING", /^Successfully attest the key/);

  await scene.step(
    "a host that fails: in words at once, as a state after three polls",
    async () => {
      await scene.faults(NO_CHANNEL);
      await shows(scene, "keyLatchStatus", "RUNNING", /^Failed to get key status - /, 3_500);
      await shows(scene, "keyLatchStatus", "STOPPED", /^Failed to get key status - /);
      assert.equal(await overall(scene), "ERROR");
      await scene.faults();
      await shows(scene, "keyLatchStatus", "RUNNING", /^Successfully attest the key/);
      assert.equal(await overall(scene), "SUCCESS");
    },
  );

  await scene.step("programs that somebody took off: back at once, and told", async () => {
    const objects = await kernelObjectsOf(world.sandbox.cgroup);
    const link = objects.find((object) => object.startsWith("link ")) ?? "";
    await bpftool("link", "detach", "id", link.slice("link ".length));
    const words = /taken off by somebody and attached again: 1, last at \d{4}-/;
    await shows(scene, "ebpfProgramStatus", "RUNNING", words);
    assert.equal(await overall(scene), "SUCCESS");
  });

  await scene.step("a full disk under the audit log", async () => {
    const refused = () => scene.statusOf(`http://${WIRESERVER}${VERSIONS}`, AS_NOBODY);
    await world.sandbox.run(["dd", "if=/dev/zero", `of=${logs}/ballast`, "bs=512"]);
    await until("the monitor says so", async () => {
      assert.equal(await refused(), 403);
      const { status, message } = await scene.moduleStatus("monitorStatus");
      return status === "STOPPED" &&
        /^Audit log cannot be written: .*(ENOSPC|os error 28)/.test(message);
    });
    await Deno.remove(`${logs}/ballast`);
    // Without another request.
    await shows(scene, "monitorStatus", "RUNNING", /^Aggregate status written to status file: /);
  });
  assert.equal(await world.stopAgent(), 0);
  assert.equal((await world.sandbox.run(["umount", logs], { inCgroup: false })).code, 0);
});

e2eTest("--status outlasts a restart, and tells a standing agent from a stranger at its port", {
  label: "asked",
  started: false,
  limitMs: 90_000,
}, async (scene) => {
  const { world } = scene;
  await scene.step("an agent that is killed and started again while it is waited for", async () => {
    await scene.faults(NO_CHANNEL);
    await world.spawnAgent();
    const waiting = asked(scene, "--wait", "60");
    await shows(scene, "keyLatchStatus", "UNKNOWN", /^Failed to get key status - /, 15_000);
    await world.killAgent();
    await pause(500);
    await world.spawnAgent();
    await scene.faults();
    assert.equal((await waiting).outcome, "finished");
  });
  await scene.step("an agent that stands still: nobody answers, and the wait ends", async () => {
    const pid = world.agentPid ?? 0;
    Deno.kill(pid, "SIGSTOP");
    const began = performance.now();
    const { outcome, exitCode, error } = await asked(scene, "--wait", "2");
    assert.ok(performance.now() - began < 10_000);
    assert.deepEqual([outcome, exitCode, error?.code], ["unreachable", 3, "HOST_TIMEOUT"]);
    Deno.kill(pid, "SIGCONT");
    assert.equal((await asked(scene, "--wait", "10")).outcome, "finished");
  });
  await scene.step("a user who took its port and says that all is finished", async () => {
    assert.equal(await world.stopAgent(), 0);
    const body = '{"finished":true,"errorMessage":""}';
    const head = `HTTP/1.1 200 OK\\r\\ncontent-length: ${body.length}\\r\\n\\r\\n`;
    const impostor = await stranger(scene, `${head}${body.replaceAll('"', '\\"')}`, AS_NOBODY);
    const told = await asked(scene);
    assert.deepEqual([told.outcome, told.error?.code], ["unusable", "LISTENER_FOREIGN"]);
    await impostor.hears("enough");
    assert.equal(await impostor.ended(), 0);
  });
  await scene.step("something else at its port", async () => {
    const other = await stranger(scene, "220 mail.example ESMTP\\r\\n");
    const { outcome, exitCode, finished } = await asked(scene);
    assert.deepEqual([outcome, exitCode, finished], ["unusable", 4, null]);
    await other.hears("enough");
    assert.equal(await other.ended(), 0);
  });
});

e2eTest("a storm of wishes by anybody forces a poll a second at most, and undoes nothing", {
  label: "wishes",
  config: { pollKeyStatusIntervalInSeconds: 15 },
}, async (scene) => {
  await scene.setModes(null);
  // Each answer that is newer than its question takes a poll.
  const isOff = async () =>
    (await asked(scene, "--wait", "20")).outcome === "finished" &&
    (await latchStates(scene))["secureChannelState"] === "disabled";
  await until("the channel is off", isOff, 30_000);
  const tag = () => Deno.readTextFile(`${scene.world.keyFolder}/status.tag`).catch(() => null);
  assert.equal(await tag(), "");
  const since = await scene.world.simulator.lastEntry();
  const began = performance.now();
  const tick = `x-ms-azure-time-tick: ${(BigInt(Date.now()) + 3_600_000n) * 1_000_000n}`;
  const wish = [...METADATA, "-H", "x-ms-azure-notify: true", "-H", tick];
  for (let round = 0; round < 10; round++) {
    const { answer } = await scene.curl(
      [...wish, ...Array.from({ length: 20 }, () => PROVISION_URL)],
      AS_NOBODY,
    );
    assert.equal(answer?.status, 200);
    // Whoever asks with no time gets what is true of it all along.
    const plain = await scene.curl([...METADATA, PROVISION_URL]);
    assert.equal(plain.answer?.body, '{"finished":true,"errorMessage":""}');
    await pause(150);
  }
  const seconds = (performance.now() - began) / 1000;
  const { entries } = await scene.world.simulator.call("GET", `/journal?since=${since}`) as {
    entries: JournalLine[];
  };
  const polls = entries.filter(({ target }) => target === "/secure-channel/status").length;
  assert.ok(polls >= 1 && polls <= Math.ceil(seconds) + 2, `${polls} polls in ${seconds} s`);
  assert.equal(await tag(), "");
});

/** Somebody who answers everything at the listener's port with these words, as Python writes them. */
async function stranger(scene: Scene, words: string, options = {}): Promise<Talker> {
  const script = STRANGER.replace("WORDS", words);
  const { sandbox } = scene.world;
  const made = new Talker(
    sandbox.spawn([PYTHON, "-uc", script], { ...options, stdin: "piped", inCgroup: false }),
    true,
  );
  assert.equal(await made.line(), "ready");
  return made;
}

const STRANGER = `
import socket, sys, threading
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 3080))
s.listen()
def serve():
    while True:
        c, _ = s.accept()
        c.recv(4096)
        c.sendall(b"WORDS")
        c.close()
threading.Thread(target=serve, daemon=True).start()
print("ready")
sys.stdin.readline()
`;
