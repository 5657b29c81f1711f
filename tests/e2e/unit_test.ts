/** The agent under its systemd unit: what the unit takes away is not missed, and addresses that it may not have are told. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { compileBpf } from "../kernel/compile.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  ROOT_FOLDER,
  type Scene,
  until,
  within,
} from "./scene.ts";

const UNIT = `${ROOT_FOLDER}/packaging/systemd/azure-proxy-agent.service`;
const CALLS = `${ROOT_FOLDER}/tests/e2e/clients/system_calls.json`;
const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;
const STOP_LIMIT_MS = 20_000;

/** Runs `body` with the agent under the unit, in a cgroup of its own whose packets pass as `allowed` says. */
async function underUnit(
  scene: Scene,
  allowed: string,
  body: (unit: { setAllowed(next: string): Promise<void> }) => Promise<void>,
): Promise<void> {
  const { world } = scene;
  const { sandbox } = world;
  const writable = ["log", "state", "run", "fs"].map((name) => `${sandbox.folder}/${name}`);
  for (const folder of [...writable, `${sandbox.folder}/filter`]) await Deno.mkdir(folder);
  await must(scene, ["mount", "-t", "bpf", "bpf", `${sandbox.folder}/fs`]);
  await must(scene, ["mount", "-t", "bpf", "bpf", `${sandbox.folder}/filter`]);
  const config = JSON.parse(await Deno.readTextFile(world.configFile));
  await Deno.writeTextFile(
    world.configFile,
    JSON.stringify({
      ...config,
      latchKeyFolder: `${sandbox.folder}/state/keys`,
      bpfFolder: `${sandbox.folder}/fs/azure-proxy-agent`,
    }),
  );
  const cgroup = `${sandbox.cgroup}/agent`;
  await Deno.mkdir(cgroup);
  await filter(scene, cgroup, allowed);
  const launcher = await scene.place("clients/as_unit.py");
  const agent = sandbox.spawn([
    ...["sh", "-c", `echo $$ > ${cgroup}/cgroup.procs; exec "$@"`, "sh"],
    ...["python3", launcher, UNIT, CALLS, ...writable, "--"],
    ...[...world.program, "console", "--config", world.configFile],
  ], { env: { ...denoEnvironment(), PATH: Deno.env.get("PATH") ?? "" } });
  const said = Promise.all([new Response(agent.stdout).text(), new Response(agent.stderr).text()]);
  let isStopping = false;
  const ended = agent.status.then(({ code }) => {
    assert.ok(isStopping && code === 0, `the agent ended with ${code}`);
  });
  try {
    await Promise.race([body({ setAllowed: (next) => filter(scene, cgroup, next) }), ended]);
    isStopping = true;
    agent.kill("SIGTERM");
    await within(ended, STOP_LIMIT_MS);
  } catch (cause) {
    await must(scene, ["sh", "-c", `echo 1 > ${cgroup}/cgroup.kill`]);
    throw new Error(`${cause}\nthe agent said:\n${(await said).join("\n")}`, { cause });
  } finally {
    await agent.status;
    await Deno.remove(cgroup);
  }
}

async function must(scene: Scene, command: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await scene.world.sandbox.run(command, {
    inCgroup: false,
    env: { PATH: Deno.env.get("PATH") ?? "" },
  });
  assert.equal(code, 0, `${command.join(" ")}: ${stdout}${stderr}`);
}

/** Lets packets of the cgroup pass to and from these networks alone: `ADDRESS[/BITS] ...`, as the directive has them. */
async function filter(scene: Scene, cgroup: string, allowed: string): Promise<void> {
  const { folder } = scene.world.sandbox;
  const networks = allowed.split(" ").map((network) => {
    const [address = "", bits = "32"] = network.split("/");
    const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    return `{ ${number}u, ${2 ** 32 - 2 ** (32 - Number(bits))}u }`;
  });
  const name = `f${allowed.replace(/\W/g, "_")}`;
  const object = `${folder}/${name}.o`;
  await compileBpf("address_filter.bpf.c", object, `ALLOWED=${networks.join(",")}`);
  const pins = `${folder}/filter/${name}`;
  await must(scene, ["bpftool", "prog", "loadall", object, pins]);
  for (const [type, program] of [["egress", "leave"], ["ingress", "enter"]] as const) {
    await must(scene, [
      "bpftool",
      "cgroup",
      "attach",
      cgroup,
      type,
      "pinned",
      `${pins}/${program}`,
    ]);
  }
}

async function allowedByUnit(): Promise<string> {
  const unit = await Deno.readTextFile(UNIT);
  assert.match(unit, /^IPAddressDeny=any$/m);
  return /^IPAddressAllow=(.*)$/m.exec(unit)?.[1] ?? "";
}

/** Under a unit the agent has mounts of its own, and takes those of the system's first process for the callers' usual ones. */
function seesFirstProcess(): boolean {
  try {
    return Deno.readLinkSync("/proc/1/ns/mnt") !== "";
  } catch {
    return false;
  }
}

e2eTest("under its systemd unit the agent misses nothing", { started: false }, async (scene) => {
  const { world } = scene;
  await underUnit(scene, await allowedByUnit(), async () => {
    await world.waitUntilReady();
    const { audit } = await scene.observe(async () => {
      assert.equal(await scene.statusOf(INSTANCE_URL, { user: NOBODY }), 200);
    });
    assert.equal(audit.length, 1);
    assert.equal(audit[0]?.["exeDoubt"], seesFirstProcess() ? null : "foreign-namespace");
    await until(
      "the control socket",
      async () =>
        await Deno.lstat(`${world.sandbox.folder}/run/control.sock`).then(() => true, () => false),
    );
  });
  assert.deepEqual(await scene.logLines("[ERROR]"), []);
  assert.deepEqual(await scene.logLines("[WARN]"), []);
});

e2eTest("where answers to callers would be dropped nobody is redirected, and the remedy is told", {
  started: false,
}, async (scene) => {
  await underUnit(scene, "127.0.0.1 168.63.129.16 169.254.169.254", async ({ setAllowed }) => {
    await until("the status says so", async () => {
      const { status, message } = await scene.moduleStatus("ebpfProgramStatus")
        .catch(() => ({ status: "", message: "" }));
      return status === "STOPPED" &&
        /answers to callers .* IPAddressAllow=127\.0\.0\.0\/8$/.test(message);
    });
    assert.notEqual(
      await scene.statusOf(INSTANCE_URL, { user: NOBODY }),
      0,
      "the host was reached",
    );
    await setAllowed(await allowedByUnit());
    await scene.world.waitUntilReady();
    assert.equal(await scene.statusOf(INSTANCE_URL, { user: NOBODY }), 200);
  });
});
