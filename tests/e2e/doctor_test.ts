/** What `doctor` says of an agent that is well and of one that is broken in one way after the other. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import type { Finished } from "../../tools/sandbox/mod.ts";
import { bpftool } from "../kernel/kernel_objects.ts";
import { compileBpf } from "../kernel/compile.ts";
import { PYTHON } from "../kernel/machine.ts";
import { e2eTest, pause, type Scene, until } from "./scene.ts";

interface Told {
  readonly check: string;
  readonly outcome: string;
  readonly found: string;
  readonly remedy: string | null;
}

interface Report {
  readonly code: number;
  readonly durationMs: number;
  of(check: string): Told;
  /** Names of the checks with this outcome. */
  named(outcome: string): string[];
}

/** What a machine for tests has no part in: nothing may keep its clock right. */
const OF_THE_MACHINE = ["clock"];
const LISTENER_IN_PYTHON = `
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 3080)); s.listen(); print("listening", flush=True); time.sleep(60)
`;

function run(scene: Scene, args: readonly string[]): Promise<Finished> {
  const { sandbox, program } = scene.world;
  return sandbox.run([...program, "doctor", ...args], { env: denoEnvironment() });
}

async function doctor(scene: Scene, config = scene.world.configFile): Promise<Report> {
  const { code, stdout, stderr } = await run(scene, ["--config", config, "--json"]);
  assert.notEqual(stdout, "", stderr);
  const report = JSON.parse(stdout) as { durationMs: number; checks: Told[] };
  return {
    code,
    durationMs: report.durationMs,
    of: (check) => report.checks.find((each) => each.check === check)!,
    named: (outcome) =>
      report.checks.filter((each) => each.outcome === outcome).map(({ check }) => check)
        .filter((check) => !OF_THE_MACHINE.includes(check)),
  };
}

function objects(report: Report, check: string, outcome: "WARN" | "FAIL", found: RegExp): void {
  const told = report.of(check);
  assert.equal(told.outcome, outcome, JSON.stringify(told));
  assert.match(told.found, found);
  assert.ok(told.remedy !== null && told.remedy !== "");
}

e2eTest("doctor finds nothing at a healthy agent, and each fault where it is", {
  label: "doctor",
  limitMs: 120_000,
}, async (scene) => {
  const { world } = scene;
  const keyNames = () =>
    [...Deno.readDirSync(world.keyFolder)].map(({ name }) => name)
      .filter((name) => name.endsWith(".key"));

  await scene.step("nothing at a healthy agent, quickly, without a request", async () => {
    await until("the status says that all is well", async () => {
      const { code } = await doctor(scene);
      return code < 2;
    });
    const { value: report, host, audit } = await scene.observe(() => doctor(scene));
    assert.deepEqual(report.named("FAIL"), []);
    assert.deepEqual(report.named("WARN").map(report.of), []);
    assert.ok(report.code <= 1);
    assert.ok(report.durationMs < 2_000, `${report.durationMs} ms`);
    assert.match(
      report.of("bypass-probes").found,
      /^redirected: 168\.63\.129\.16 port 80, ::ffff:/,
    );
    assert.match(report.of("listener").found, new RegExp(`process ${world.agentPid}`));
    assert.deepEqual(host.filter(({ target }) => !String(target).includes("secure-channel")), []);
    assert.deepEqual(audit, []);
  });

  await scene.step("text for people, one line for each check", async () => {
    const { stdout, code } = await run(scene, ["--config", world.configFile]);
    assert.ok(code <= 1);
    assert.match(stdout, /^OK {4}rights of this run \(rights\): running as root$/m);
    assert.match(stdout, /^\d+ FAIL, \d+ WARN, \d+ OK in \d+ ms$/m);
  });

  await scene.step("a key file that others can read", async () => {
    const path = `${world.keyFolder}/${keyNames()[0]}`;
    await Deno.chmod(path, 0o644);
    const report = await doctor(scene);
    assert.equal(report.code, 2);
    objects(report, "key-file", "FAIL", /has mode 0644/);
    assert.equal(report.of("key-file").remedy, `chmod 0600 ${path}`);
    assert.deepEqual(report.named("FAIL"), ["permissions", "key-file"]);
    await Deno.chmod(path, 0o600);
  });

  await scene.step("a rule file that cannot be used, and a configuration", async () => {
    const rules = `${world.sandbox.folder}/rules/IMDS_Rules.json`;
    await Deno.writeTextFile(rules, '{"defaultAccess": "perhaps"}', { mode: 0o600 });
    objects(await doctor(scene), "rules", "FAIL", /IMDS_Rules\.json \$\.defaultAccess/);
    await Deno.remove(rules);
    const config = `${world.sandbox.folder}/broken.json`;
    await Deno.writeTextFile(config, '{"logFolder": 7}');
    objects(await doctor(scene, config), "config", "FAIL", /`logFolder`/);
  });

  await scene.step("a program of somebody else on the same cgroup", async () => {
    const { sandbox } = world;
    const object = await compileBpf("other_vendor.bpf.c", `${sandbox.folder}/vendor.o`);
    const pins = `${sandbox.folder}/bpf/vendor`;
    await bpftool("prog", "loadall", object, pins);
    const named = ["pinned", `${pins}/vendor_counts`];
    await bpftool("cgroup", "attach", sandbox.cgroup, "cgroup_inet4_connect", ...named, "multi");
    const report = await doctor(scene);
    await bpftool("cgroup", "detach", sandbox.cgroup, "cgroup_inet4_connect", ...named);
    await Deno.remove(pins, { recursive: true });
    objects(
      report,
      "foreign-programs",
      "WARN",
      /^connect4 of \S+ also runs program \d+ `vendor_counts`/,
    );
    assert.equal(report.code, 1);
  });

  await scene.step("programs on a cgroup below, and on one above", async () => {
    const { sandbox } = world;
    const object = await compileBpf("other_vendor.bpf.c", `${sandbox.folder}/vendor.o`);
    const pins = `${sandbox.folder}/bpf/vendor`;
    const pod = `${sandbox.cgroup}/pod`;
    await Deno.mkdir(pod);
    await bpftool("prog", "loadall", object, pins);
    await bpftool(
      ...["cgroup", "attach", pod, "cgroup_inet4_connect", "pinned", `${pins}/vendor_refuses`],
      "multi",
    );
    const below = await doctor(scene);
    const config = JSON.parse(await Deno.readTextFile(world.configFile));
    const inner = `${sandbox.folder}/inner.json`;
    await Deno.writeTextFile(inner, JSON.stringify({ ...config, cgroupRoot: pod }));
    const above = await doctor(scene, inner);
    await Deno.remove(pins, { recursive: true });
    await Deno.remove(pod);
    const { found } = below.of("foreign-programs");
    objects(below, "foreign-programs", "WARN", /program \d+ `vendor_refuses`.*which can change/);
    assert.ok(found.startsWith(`connect4 of ${pod} runs program `), found);
    const seen = above.of("foreign-programs").found;
    assert.ok(seen.includes(`connect4 of ${sandbox.cgroup} runs program `), seen);
  });

  await scene.step("a host that wants nothing redirected: nothing is dialled", async () => {
    await scene.setModes(null);
    await until("the channel is off", async () => {
      const report = await doctor(scene);
      return report.code < 2 && report.of("bypass-probes").found.includes("nothing was dialled");
    });
    await scene.setModes({ wireserver: "enforce", imds: "enforce" });
    await until("it is on again", async () => {
      const report = await doctor(scene);
      return report.code < 2 && report.of("bypass-probes").found.startsWith("redirected");
    });
  });

  await scene.step("an agent that hangs", async () => {
    const pid = await agentProcess(scene);
    Deno.kill(pid, "SIGSTOP");
    try {
      await pause(5_500);
      const report = await doctor(scene);
      objects(report, "agent-process", "FAIL", /last heartbeat is \d+ ms old/);
      objects(report, "control-socket", "WARN", /does not answer in time: it hangs/);
    } finally {
      Deno.kill(pid, "SIGCONT");
    }
    await until("it beats again", async () => (await doctor(scene)).code < 2);
  });

  await scene.step("an agent that was killed, and its port taken", async () => {
    await world.killAgent();
    const killed = await doctor(scene);
    objects(killed, "agent-process", "FAIL", /is gone and has left its kernel programs/);
    objects(killed, "listener", "FAIL", /nobody listens on 127\.0\.0\.1:3080/);
    assert.equal(killed.of("attach-points").outcome, "OK");
    assert.match(killed.of("bypass-probes").found, /^redirected: /, "there is no hole");
    const impostor = world.sandbox.spawn([PYTHON, "-c", LISTENER_IN_PYTHON]);
    await until("it listens", async () => {
      const { found } = (await doctor(scene)).of("listener");
      return found.includes("belongs to process");
    });
    objects(
      await doctor(scene),
      "listener",
      "FAIL",
      /127\.0\.0\.1:3080 belongs to process \d+ `python/,
    );
    impostor.kill("SIGKILL");
    await impostor.output();
  });

  await scene.step("programs that somebody detached", async () => {
    const { ino } = await Deno.stat(world.sandbox.cgroup);
    const pins = `${world.sandbox.folder}/bpf/${ino}`;
    await bpftool("link", "detach", "pinned", `${pins}/link_redirect_connect4`);
    const detached = await doctor(scene);
    objects(detached, "attach-points", "FAIL", /redirect_connect4 was detached/);
    objects(detached, "bypass-probes", "FAIL", /left from 192\.0\.2\.2 and was not redirected/);
    await Deno.remove(`${pins}/link_redirect_connect6`);
    const report = await doctor(scene);
    objects(report, "pins", "FAIL", /missing in .*: redirect_connect6$/);
  });

  await scene.step("all is well again after a start", async () => {
    await world.startAgent();
    await until("nothing is wrong", async () => (await doctor(scene)).code < 2);
  });
});

/** The process of the agent itself: the shell that started it has become it. */
async function agentProcess(scene: Scene): Promise<number> {
  const { found } = (await doctor(scene)).of("agent-process");
  return Number(/process (\d+)/.exec(found)?.[1]);
}

e2eTest("doctor says how far the clock is off the one that the host tells", {
  label: "clock",
  started: false,
}, async (scene) => {
  await scene.world.simulator.call("PUT", "/clock", { skewMs: 3_600_000 });
  await scene.world.startAgent();
  await until("the status document tells it", async () => {
    return (await doctor(scene)).of("clock").found.includes("the host's");
  });
  const report = await doctor(scene);
  objects(report, "clock", "FAIL", /the clock is (3600|3599) s behind the host's/);
  assert.equal(report.code, 2);
});

e2eTest("doctor bundle packs what support needs, for its owner alone, and no key", {
  label: "bundle",
}, async (scene) => {
  const { world } = scene;
  const { folder } = world.sandbox;
  await scene.curl([
    ...["-H", "Metadata: true"],
    "http://169.254.169.254/metadata/instance?api-version=2021-02-01&sig=c2VjcmV0LXNpZ25hdHVyZQ",
  ]);
  await until("the rules are dumped", () => {
    const names = [...Deno.readDirSync(world.logFolder)].map(({ name }) => name);
    return Promise.resolve(names.some((name) => name.startsWith("AuthorizationRules_")));
  });
  const planted = ["hunter2hunter2", `${"A".repeat(86)}==`, "c2VjcmV0LXNpZ25hdHVyZQ"];
  const config = JSON.parse(await Deno.readTextFile(world.configFile));
  await Deno.writeTextFile(
    world.configFile,
    JSON.stringify({
      ...config,
      collector: `http://collector:${planted[0]}@127.0.0.1:9/v1/metrics`,
      storage: `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${planted[1]};Suffix=b`,
      nested: { clientSecret: planted[0], tokens: { secret: [planted[0]] } },
    }),
  );
  const log = await Deno.open(`${world.logFolder}/ProxyAgent.log`, { append: true });
  const line = `2026-01-06T07:08:09.123 [WARN]    sent header="Authorization: Bearer ${
    planted[0]
  }"\n`;
  await log.write(new TextEncoder().encode(line));
  log.close();
  const output = `${folder}/support.tar.gz`;
  const args = ["bundle", "--config", world.configFile, "--output", output];
  const { code, stdout, stderr } = await run(scene, args);
  assert.equal(code, 0, stderr);
  assert.equal((await Deno.stat(output)).mode! & 0o777, 0o600);
  await Deno.mkdir(`${folder}/unpacked`);
  const unpacked = await new Deno.Command("tar", {
    args: ["-xzf", output, "-C", `${folder}/unpacked`],
  }).output();
  assert.equal(unpacked.code, 0, new TextDecoder().decode(unpacked.stderr));
  const read = (name: string) => Deno.readTextFile(`${folder}/unpacked/${name}`);
  const names = [...stdout.matchAll(/^ +\d+ {2}(\S+)$/gm)].map(([, name]) => name!);
  for (
    const name of [
      ...["doctor.txt", "doctor.json", "config.json", "status.json", "redirection.json"],
      ...["logs/ProxyAgent.log", "logs/ProxyAgent.Connection.log", "contents.txt"],
      ...["agent/status.json", "agent/attestation.json", "agent/metrics.txt"],
    ]
  ) assert.ok(names.includes(name), `${name} in ${names}`);
  assert.ok(names.some((name) => name.startsWith("rules/AuthorizationRules_")));
  assert.match(await read("logs/ProxyAgent.log"), /is starting/);
  assert.match(await read("logs/ProxyAgent.Connection.log"), /metadata\/instance/);
  const all = (await Promise.all(names.map(read))).join("\n");
  const secrets = [...Deno.readDirSync(world.keyFolder)].filter(({ name }) => name.endsWith(".key"))
    .map(({ name }) => Deno.readTextFileSync(`${world.keyFolder}/${name}`))
    .map((text) => (JSON.parse(text) as { key: string }).key);
  assert.ok(secrets.length > 0);
  for (const secret of [...secrets, ...planted]) {
    assert.ok(!all.toLowerCase().includes(secret.toLowerCase()));
  }
  const again = await run(scene, args);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /cannot be written.*--output/);
});
