/** The whole agent while host, kernel or machine misbehave: what callers get, what the status says, and that it mends itself. */
import assert from "node:assert/strict";
import { kernelObjectsOf } from "../../tools/demo/kernel_objects.ts";
import type { JournalLine } from "../../src/simulator/journal.ts";
import { bpftool } from "../kernel/kernel_objects.ts";
import { PYTHON, Talker } from "../kernel/machine.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;
const VERSIONS_URL = `http://${WIRESERVER}${VERSIONS}`;
const STATUS_URL = `http://${WIRESERVER}/gpa-aggregated-status`;
const AS_NOBODY = { user: NOBODY };
const STATUS_TARGET = "/secure-channel/status";
/** Three intervals of the tests, one to notice, one to write; and a busy machine. */
const NOTICED_WITHIN_MS = 8_000;
/** How long the host may take for the head of an answer, and how late that is noticed. */
const HEAD_MS = 10_000;
const LATE_MS = 2_000;

/** The last record of a request for `target`, once it is written. */
async function record(scene: Scene, target: string): Promise<Readonly<Record<string, unknown>>> {
  const last = async () => (await scene.world.audit()).findLast(({ url }) => url === target);
  await until(`a record of ${target}`, async () => await last() !== undefined, 4_000);
  return await last() ?? {};
}

async function latchStates(scene: Scene): Promise<Readonly<Record<string, string>>> {
  const module = await scene.moduleStatus("keyLatchStatus");
  return (module as unknown as { states: Record<string, string> }).states;
}

/** Guid of the key that the agent holds, once the status document tells it. */
async function heldKey(scene: Scene): Promise<string> {
  await until("a key is shown", async () => (await latchStates(scene))["keyGuid"] !== undefined);
  return (await latchStates(scene))["keyGuid"] ?? "";
}

/** Waits until the status document shows this of a module. */
async function shows(
  scene: Scene,
  module: string,
  status: string,
  words: RegExp = /./,
  limitMs = NOTICED_WITHIN_MS,
): Promise<void> {
  let shown = "";
  await until(`${module} is ${status} with ${words}`, async () => {
    const now = await scene.moduleStatus(module).catch(() => null);
    shown = JSON.stringify(now);
    return now?.status === status && words.test(now.message);
  }, limitMs).catch((error) => {
    throw new Error(`${error.message}; it shows ${shown}`);
  });
}

/** Asserts that a caller of each endpoint is served, and that the host gets its request signed with the latched key. */
async function assertServes(scene: Scene): Promise<void> {
  const { value, host } = await scene.observe(() => bothServed(scene));
  assert.deepEqual(value, [200, 200]);
  assert.deepEqual(host.map(({ verdict, key }) => [verdict, key]), [
    ["signed", "latched"],
    ["signed", "latched"],
  ]);
}

/** What callers of IMDS and of WireServer get. */
async function bothServed(scene: Scene): Promise<number[]> {
  return [await scene.statusOf(INSTANCE_URL, AS_NOBODY), await scene.statusOf(VERSIONS_URL)];
}

/** Every request so far was properly signed. */
async function assertNothingUnsigned(scene: Scene): Promise<void> {
  for (const { unsigned, bad } of Object.values(await scene.verdicts())) {
    assert.deepEqual({ unsigned, bad }, { unsigned: 0, bad: 0 });
  }
}

e2eTest("what the host does wrong is told to the caller, and costs nobody else", {
  label: "faults",
}, async (scene) => {
  const target = `${INSTANCE}&of=slow`;
  await scene.faults({ kind: "slow", ms: HEAD_MS + 3_000, endpoint: "imds", path: target });
  const began = performance.now();
  const slow = scene.statusOf(`http://${IMDS}${target}`, AS_NOBODY).then((status) => ({
    status,
    tookMs: performance.now() - began,
  }));

  await scene.step("others are served meanwhile", () => assertServes(scene));

  const failures = [
    { kind: "reset", status: 503, reason: "upstream-failed" },
    { kind: "close", status: 503, reason: "upstream-failed" },
    { kind: "garbage", status: 503, reason: "upstream-failed" },
    { kind: "half-body", status: 503, reason: "upstream-failed" },
  ];
  for (const { kind, status, reason } of failures) {
    await scene.step(`${kind}: ${status} and ${reason}`, async () => {
      const broken = `${INSTANCE}&of=${kind}`;
      await scene.faults({ kind, endpoint: "imds", path: broken });
      const { answer } = await scene.curl(
        ["-H", "Metadata: true", `http://${IMDS}${broken}`],
        AS_NOBODY,
      );
      assert.deepEqual([answer?.status, answer?.body], [status, ""]);
      const { decision, reason: recorded } = await record(scene, broken);
      assert.deepEqual([decision, recorded], ["error", reason]);
      await assertServes(scene);
    });
  }

  await scene.step("a status of 5xx is the host's own word and stays as it is", async () => {
    for (const status of [500, 502, 503, 504]) {
      const refused = `${INSTANCE}&of=${status}`;
      await scene.faults({ kind: "status", status, endpoint: "imds", path: refused });
      const { answer } = await scene.curl(
        ["-H", "Metadata: true", `http://${IMDS}${refused}`],
        AS_NOBODY,
      );
      assert.deepEqual([answer?.status, answer?.body], [status, ""]);
      const { decision, signed } = await record(scene, refused);
      assert.deepEqual([decision, signed], ["allow", true]);
    }
  });

  await scene.step("a body that is no document is none of the agent's business", async () => {
    await scene.faults({ kind: "garbage-body", endpoint: "imds" });
    assert.equal(await scene.statusOf(INSTANCE_URL, AS_NOBODY), 200);
    await scene.faults();
  });

  await scene.step("a host that is too slow: 503 after the limit", async () => {
    const { status, tookMs } = await slow;
    assert.equal(status, 503);
    assert.ok(tookMs > HEAD_MS && tookMs < HEAD_MS + LATE_MS, `${tookMs} ms`);
    assert.equal((await record(scene, target))["reason"], "upstream-timeout");
  });
  await assertNothingUnsigned(scene);
});

e2eTest("polls that fail are told and keep key and policy; the way back needs nobody", {
  label: "polls",
  limitMs: 90_000,
}, async (scene) => {
  const keyGuid = await heldKey(scene);
  const bad = [
    { name: "reset", words: /^Failed to get key status - / },
    { name: "garbage", words: /^Failed to get key status - / },
    { name: "garbage-body", words: /^Failed to get key status - / },
  ];
  for (const { name, words } of bad) {
    await scene.step(name, async () => {
      await scene.faults({ kind: name, path: STATUS_TARGET });
      await shows(scene, "keyLatchStatus", "STOPPED", words);
      assert.equal((await latchStates(scene))["keyGuid"], keyGuid);
      await assertServes(scene);
      assert.equal(await scene.statusOf(VERSIONS_URL, AS_NOBODY), 403);
      await scene.faults();
      await shows(scene, "keyLatchStatus", "RUNNING");
      await assertServes(scene);
    });
  }
  await scene.step("a document with an unknown mode is refused as a whole", async () => {
    await scene.setModes({ wireserver: "sometimes", imds: "audit" });
    await shows(scene, "keyLatchStatus", "STOPPED", /^Failed to get key status - /);
    assert.equal(
      (await latchStates(scene))["secureChannelState"],
      "WireServer Enforce -  IMDS Enforce - HostGA Enforce",
    );
    assert.equal(await scene.statusOf(VERSIONS_URL, AS_NOBODY), 403);
    await scene.setModes({ wireserver: "enforce", imds: "enforce" });
    await shows(scene, "keyLatchStatus", "RUNNING");
    await assertServes(scene);
  });
  await assertNothingUnsigned(scene);
});

e2eTest("a host that is gone for a while", { label: "gone" }, async (scene) => {
  const cable = (state: string) =>
    scene.world.sandbox.run(["ip", "link", "set", "eth0", state], { side: "host" });
  await assertServes(scene);
  await cable("down");
  await shows(scene, "keyLatchStatus", "STOPPED", /./);
  assert.equal(
    (await scene.world.status() as { proxyAgentStatus: { status: string } }).proxyAgentStatus
      .status,
    "ERROR",
  );
  const asked = performance.now();
  const fresh = `${INSTANCE}&of=gone`;
  const status = await scene.statusOf(`http://${IMDS}${fresh}`, AS_NOBODY);
  assert.ok(status === 502 || status === 503, `${status}`);
  assert.ok(performance.now() - asked < HEAD_MS + LATE_MS);
  assert.equal((await record(scene, fresh))["decision"], "error");

  await cable("up");
  await shows(scene, "keyLatchStatus", "RUNNING", /./, 15_000);
  await assertServes(scene);
  await assertNothingUnsigned(scene);
});

e2eTest("the key changes while the host is slow and clients ask", {
  label: "rotate",
}, async (scene) => {
  const client = await scene.python(
    "clients/knocker.py",
    [IMDS, INSTANCE, "50", "keep-alive"],
    AS_NOBODY,
  );
  await client.line();
  await scene.faults({ kind: "slow", ms: 1_500, path: "/secure-channel/" });
  const guid = await scene.world.simulator.rotateKey();
  await until(
    "the new key is held",
    async () => (await latchStates(scene))["keyGuid"] === guid,
    20_000,
  );
  await scene.faults();
  await client.hears("enough");
  const { statuses } = await client.says<{ statuses: Record<string, number> }>();
  await assertServes(scene);
  assert.deepEqual(Object.keys(statuses), ["200"], JSON.stringify(statuses));
  await assertNothingUnsigned(scene);
});

e2eTest("a key file with rubbish in it is not used: the host is asked for a key", {
  label: "rubbish",
}, async (scene) => {
  const { world } = scene;
  for (const text of ["rubbish", "", "{}", '{"guid": "x", "key": 5}']) {
    assert.equal(await world.stopAgent(), 0);
    const held = [...Deno.readDirSync(world.keyFolder)].filter(({ name }) => name.endsWith(".key"));
    assert.ok(held.length > 0);
    for (const { name } of held) await Deno.writeTextFile(`${world.keyFolder}/${name}`, text);
    const since = await world.simulator.lastEntry();
    await world.startAgent();
    const { entries } = await world.simulator.call("GET", `/journal?since=${since}`) as {
      entries: JournalLine[];
    };
    assert.deepEqual(
      entries.filter(({ target }) => target.startsWith("/secure-channel/key"))
        .map(({ target }) => target.replace(/[0-9a-f-]{36}/, "{guid}")),
      ["/secure-channel/key", "/secure-channel/key/{guid}/key-attestation"],
      JSON.stringify(text),
    );
    await assertServes(scene);
  }
});

e2eTest("a port that is taken at the start is waited for, and whoever took it gets no caller", {
  label: "port",
  started: false,
}, async (scene) => {
  const squatter = new Talker(
    scene.world.sandbox.spawn([PYTHON, "-uc", SQUATTER], { ...AS_NOBODY, stdin: "piped" }),
    true,
  );
  assert.equal(await squatter.line(), "ready");
  await scene.world.spawnAgent();
  await shows(
    scene,
    "proxyListenerStatus",
    "STOPPED",
    /^port 3080 of 127\.0\.0\.1 is taken by another process; .*ss -ltnp/,
    20_000,
  );
  await shows(scene, "keyLatchStatus", "RUNNING");
  await shows(scene, "ebpfProgramStatus", "RUNNING");
  const { proxyAgentStatus } = await scene.world.status() as {
    proxyAgentStatus: { status: string };
  };
  assert.equal(proxyAgentStatus.status, "ERROR");

  const asked = await scene.observe(() => bothServed(scene));
  assert.deepEqual(asked.value, [401, 401], "callers are left to the host, which enforces");
  assert.deepEqual(asked.host.map(({ verdict }) => verdict), ["unsigned", "unsigned"]);
  await squatter.hears("enough");
  assert.equal(await squatter.line(), "0", "connections that reached the squatter");
  assert.equal(await squatter.ended(), 0);
  await scene.world.waitUntilReady();
  await shows(scene, "proxyListenerStatus", "RUNNING");
  await assertServes(scene);
});

const SQUATTER = `
import select, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 3080))
s.listen()
print("ready")
sys.stdin.readline()
print(len(select.select([s], [], [], 0)[0]))
`;

e2eTest("a full disk costs lines, which are counted, and nothing else", {
  label: "full",
  started: false,
}, async (scene) => {
  const { world } = scene;
  await Deno.mkdir(world.logFolder, { mode: 0o750 });
  const { code } = await world.sandbox.run(
    ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0750", "tmpfs", world.logFolder],
    { inCgroup: false },
  );
  // The mount is made in a namespace of networks only, so it is seen here as well.
  assert.equal(code, 0);
  await world.startAgent();
  assert.deepEqual(await bothServed(scene), [200, 200]);

  const ballast = `${world.logFolder}/ballast`;
  fill(ballast);
  for (let round = 0; round < 40; round++) {
    assert.equal(await scene.statusOf(VERSIONS_URL, AS_NOBODY), 403);
  }
  assert.deepEqual(await bothServed(scene), [200, 200]);
  // A new state of the channel makes the document be written at once.
  await scene.setModes({ wireserver: "enforce", imds: "audit" });
  await until("the monitor says that the disk is full", async () => {
    const { answer } = await scene.curl(["-H", "Metadata: true", STATUS_URL]);
    return /"monitorStatus":{"status":"STOPPED","message":"[^"]*ENOSPC/.test(answer?.body ?? "");
  });

  await Deno.remove(ballast);
  await until("the loss is told", async () => {
    await scene.statusOf(VERSIONS_URL, AS_NOBODY);
    const text = await Deno.readTextFile(`${world.logFolder}/ProxyAgent.Connection.log`);
    return /"notice":"lost","count":[1-9]/.test(text);
  });
  assert.deepEqual(await bothServed(scene), [200, 200]);
  await assertNothingUnsigned(scene);
  await shows(scene, "monitorStatus", "RUNNING", /^Aggregate status written|running/);
});

e2eTest("programs that somebody takes off the cgroup are back within two seconds", {
  label: "detach",
}, async (scene) => {
  const { cgroup } = scene.world.sandbox;
  const links = async () =>
    (await kernelObjectsOf(cgroup)).filter((object) => object.startsWith("link "));
  const count = (await links()).length;
  assert.ok(count > 0);
  for (let index = 0; index < count; index++) {
    const link = (await links())[index]?.slice("link ".length) ?? "";
    await bpftool("link", "detach", "id", link);
    assert.equal((await links()).length, count - 1, "one is gone");
    await until(
      "all programs are attached",
      async () => (await links()).length === count,
      2_500,
    );
    await assertServes(scene);
  }
  await until(
    "the log tells of each",
    async () => (await scene.logLines("the eBPF programs were detached")).length === count,
  );
});

function fill(path: string): void {
  const file = Deno.openSync(path, { write: true, create: true });
  try {
    for (;;) file.writeSync(new Uint8Array(512));
  } catch (error) {
    assert.ok(error instanceof Error && error.message.includes("os error 28"), `${error}`);
  } finally {
    file.close();
  }
}
