/** Debian's cloud-init waits for the agent, and then provisions through it. */
import assert from "node:assert/strict";
import {
  CLIENT_TOOLS,
  denoEnvironment,
  ensureTools,
  unpackPackage,
} from "../../tools/setup/mod.ts";
import { PYTHON } from "../kernel/machine.ts";
import { e2eTest, type Scene } from "./scene.ts";

/** What cloud-init itself needs of Debian's Python. */
const NEEDS = ["requests", "urllib3", "chardet", "idna", "certifi", "yaml", "configobj", "six"];
/** The first release of Debian whose cloud-init asks the agent by itself. */
const KNOWS_THE_AGENT = "trixie";
const LIMIT_MS = 180_000;

interface Told {
  readonly found: boolean;
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

interface Provisioned {
  readonly metadata: readonly string[];
  readonly keys: readonly string[];
  /** How it asked the agent. */
  readonly asked: readonly (readonly string[])[];
  readonly failureReported: boolean;
}

/** Fetches cloud-init and puts the agent on a path; returns how to run a part of cloud-init. */
async function withCloudInit(scene: Scene) {
  await ensureTools(CLIENT_TOOLS);
  const { program, sandbox } = scene.world;
  const folder = `${sandbox.folder}/package`;
  for (const name of NEEDS) await unpackPackage([`python3-${name}`], folder);
  await unpackPackage(["cloud-init"], folder, KNOWS_THE_AGENT);
  const bin = `${sandbox.folder}/bin`;
  await Deno.mkdir(bin);
  const words = program.map((word) => `'${word}'`).join(" ");
  const agent = `${bin}/azure-proxy-agent`;
  await Deno.writeTextFile(agent, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  await Deno.chmod(agent, 0o755);
  const script = await scene.place("clients/cloud_init_client.py");
  const env = { ...denoEnvironment(), PATH: `${bin}:${Deno.env.get("PATH") ?? ""}` };
  return async (...args: string[]): Promise<unknown> => {
    const { stdout, stderr } = await sandbox.run(
      [PYTHON, script, `${folder}/usr/lib/python3/dist-packages`, ...args],
      { env },
    );
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout);
  };
}

e2eTest("Debian's cloud-init waits for the agent and provisions through it", {
  limitMs: LIMIT_MS,
  started: false,
}, async (scene) => {
  const { world } = scene;
  const cloudInit = await withCloudInit(scene);

  await scene.step("it is told 1 while nothing runs", async () => {
    const { found, exit, out } = await cloudInit("status", "0") as Told;
    assert.deepEqual([found, exit], [true, 1]);
    assert.match(out, /^Failed to query the current provision state with error: /);
  });

  await scene.step("it waits for an agent that starts meanwhile, and is told 0", async () => {
    const waiting = cloudInit("status", "120") as Promise<Told>;
    await world.spawnAgent();
    const { exit, err } = await waiting;
    assert.equal(exit, 0);
    assert.equal(err, "");
    assert.deepEqual(await cloudInit("status", "120"), { found: true, exit: 0, out: "", err: "" });
  });

  await scene.step("it reads metadata and reports, and all of it is signed", async () => {
    const { thumbprint } = await world.simulator.call("GET", "/certificate") as {
      thumbprint: string;
    };
    const work = `${world.sandbox.folder}/cloud-init`;
    const { value, host } = await scene.observe(() => cloudInit("provision", work, thumbprint));
    const told = value as Provisioned;
    assert.ok(told.metadata.includes("compute"), told.metadata.join(" "));
    assert.match(told.keys.join(), /^ssh-rsa AAAA\S+\s*$/, "opened, and made a key of");
    assert.deepEqual(told.asked, [["azure-proxy-agent", "--status", "--wait", "120"]]);
    assert.equal(told.failureReported, true);
    const targets = host.map(({ method, target, status }) => `${method} ${target} ${status}`);
    assert.deepEqual(targets.filter((each) => each.startsWith("POST")), [
      "POST /machine?comp=health 200",
      "POST /machine?comp=health 200",
    ]);
    assert.ok(targets.some((each) => /^GET \/machine\/\?comp=goalstate 200$/.test(each)));
    assert.ok(targets.some((each) => /^GET \/machine\/.+\?comp=certificates&\S+ 200$/.test(each)));
    for (const line of host) assert.deepEqual([line.verdict, line.isRoot], ["signed", true]);
  });
  assert.equal(await world.stopAgent(), 0);
});

e2eTest("cloud-init is told 1 while the host is away, and 0 where it wants no channel", {
  limitMs: LIMIT_MS,
  started: false,
}, async (scene) => {
  const cloudInit = await withCloudInit(scene);
  await scene.faults({ kind: "reset", endpoint: "wireserver", path: "/secure-channel" });
  await scene.world.spawnAgent();
  const { exit } = await cloudInit("status", "2") as Told;
  assert.equal(exit, 1);
  await scene.setModes(null);
  await scene.faults();
  // A channel that is off is only known to be off by an answer that is newer than the question.
  assert.equal((await cloudInit("status", "120") as Told).exit, 0);
  const { keyFolder } = scene.world;
  assert.equal(await Deno.readTextFile(`${keyFolder}/status.tag`), "");
  assert.match(
    await Deno.readTextFile(`${keyFolder}/provisioned.tag`),
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/,
  );
  for (const name of ["status.tag", "provisioned.tag"]) {
    assert.equal(((await Deno.stat(`${keyFolder}/${name}`)).mode ?? 0) & 0o777, 0o600);
  }
});
