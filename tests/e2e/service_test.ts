/** What the service manager hears: ready, alive, stopping, and lines with a priority. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { VERSION } from "../../src/version.ts";
import { e2eTest, pause } from "./scene.ts";

interface Heard {
  readonly messages: readonly string[];
  readonly exit: number;
  readonly lines: readonly string[];
}

e2eTest(
  "a service manager hears that the agent is ready, lives and stops, and its journal priorities",
  {
    started: false,
    config: { fileLogLevelForSystemEvents: "Trace" },
  },
  async (scene) => {
    const { configFile, program, sandbox } = scene.world;
    const manager = await scene.python("clients/service_manager.py", [
      ...[sandbox.folder, "1000000", ...program, "console", "--config", configFile],
    ], { env: { ...denoEnvironment(), PATH: Deno.env.get("PATH") ?? "" } });
    assert.equal(await manager.line(), "ready");
    await pause(1_800);
    await manager.hears("stop");
    const { messages, exit, lines } = await manager.says<Heard>();
    assert.equal(await manager.ended(), 0);
    assert.equal(exit, 0);
    assert.equal(messages.filter((message) => message === "READY=1").length, 1);
    const alive = messages.filter((message) => message === "WATCHDOG=1").length;
    assert.ok(alive >= 3 && alive <= 8, `${alive} signs of life, one each half a second`);
    assert.equal(messages.filter((message) => message === "STOPPING=1").length, 1);
    assert.equal(messages.findLast((message) => message.startsWith("STATUS=")), "STATUS=Serving");
    assert.ok(messages.indexOf("READY=1") < messages.indexOf("STOPPING=1"));

    const spoken = lines.filter((line) => line !== "Press Enter to end it.");
    for (const line of spoken) assert.match(line, /^<[3467]>/);
    assert.match(
      spoken[0] ?? "",
      /^<6>=+ GuestProxyAgent \(.+\) is starting on Linux:.+-.+\((x86_64|aarch64)\), elapsed: \d+ /,
    );
    assert.ok(
      spoken.some((line) => /^<6>=+ GuestProxyAgent is stopping, elapsed: \d+$/.test(line)),
    );
    assert.ok(spoken.some((line) => line.startsWith("<7>")), "trace was asked for");
  },
);

/** A machine of its own as far as files go: a configuration in /etc, and a file that is the serial console. */
const MACHINE = `
set -e
over=$1 config=$2; shift 2
mount -t tmpfs tmpfs "$over"
mkdir "$over/etc" "$over/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$over/etc,workdir=$over/work" /etc
mkdir -p /etc/azure
cp "$config" /etc/azure/proxy-agent.json
mount --bind "\${over%/*}/console" /dev/console
exec "$@"
`;

e2eTest("a service takes its configuration from /etc and speaks to the serial console", {
  started: false,
}, async (scene) => {
  const { world } = scene;
  const { folder } = world.sandbox;
  const config = JSON.parse(await Deno.readTextFile(world.configFile));
  await Deno.writeTextFile(
    world.configFile,
    JSON.stringify({ ...config, statusFolder: world.logFolder }),
  );
  const consoleFile = `${folder}/console`;
  await Deno.writeTextFile(consoleFile, "");
  await Deno.mkdir(`${folder}/over`);
  // What stands in the way of the log is told on the console, and so is its end.
  const inTheWay = `${world.logFolder}/ProxyAgent.log`;
  await Deno.mkdir(inTheWay, { recursive: true, mode: 0o750 });
  const agent = world.sandbox.spawn([
    ...["unshare", "-m", "sh", "-c", MACHINE, "sh", `${folder}/over`, world.configFile],
    ...world.program,
  ], { env: { ...denoEnvironment(), PATH: Deno.env.get("PATH") ?? "" } });
  const complaints = new Response(agent.stderr).text();
  const said = new Response(agent.stdout).text();
  await world.waitUntilReady();
  await Deno.remove(inTheWay);
  await pause(1_100);
  agent.kill("SIGTERM");
  assert.equal((await agent.status).code, 0, `${await complaints}${await said}`);
  assert.match(await complaints, /^log file cannot be written cause="Error: Not a regular file: /m);
  assert.match(await said, /^log file can be written again$/m);
  assert.match(await Deno.readTextFile(inTheWay), /log lines were lost count=\d+/);

  const lines = (await Deno.readTextFile(consoleFile)).trimEnd().split("\n");
  const messages = lines.map((line) => {
    const [, version, message] =
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} azure-proxy-agent_(.+)\(\d+\) - (.+)$/.exec(line) ??
        [];
    assert.equal(version, VERSION, line);
    return message ?? "";
  });
  assert.match(messages[0] ?? "", /^=+ GuestProxyAgent \(.+\) is starting on Linux:/);
  const milestones = [
    /^Started Redirector with eBPF maps - \d+/,
    /^Started proxy listener, ready to accept request - \d+/,
    /^Successfully attest the key and ready to use\. - \d+/,
    /^Provision finished successfully$/,
  ];
  for (const milestone of milestones) {
    assert.equal(messages.filter((message) => milestone.test(message)).length, 1, `${milestone}`);
  }
});
