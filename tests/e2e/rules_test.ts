/** Rules of the host, from its document to the answer a caller gets. */
import assert from "node:assert/strict";
import { sourceProgram } from "../../tools/sandbox/world.ts";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { PYTHON } from "../kernel/machine.ts";
import {
  activeEpoch,
  askImds,
  type Grant,
  grants,
  installed,
  type Json,
  tellHost,
} from "./policy_change.ts";
import { RawClient, request } from "./raw_client.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  pause,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

const DAEMON = { uid: 1, gid: 1 } as const;
const ATTESTED = "/metadata/attested/document?api-version=2021-02-01";

function denyItem(id: string, ...list: readonly Grant[]): Json {
  return { defaultAccess: "deny", mode: "enforce", id, rules: grants(...list) };
}

/** A program of the caller's own making: Python asks for the instance document. */
async function pythonAsks(scene: Scene, user: { uid: number; gid: number }): Promise<number> {
  const code = [
    "import urllib.request, urllib.error",
    `request = urllib.request.Request("http://${IMDS}${INSTANCE}", headers={"Metadata": "true"})`,
    "try: print(urllib.request.urlopen(request).status)",
    "except urllib.error.HTTPError as error: print(error.code)",
  ].join("\n");
  return Number((await scene.world.sandbox.run([PYTHON, "-c", code], { user })).stdout);
}

e2eTest("rules decide by user, group, process name and path of the executable", {
  limitMs: 120_000,
}, async (scene) => {
  const curl = await Deno.realPath("/usr/bin/curl");
  const both = async (id: string, to: Json) => {
    await installed(
      scene,
      () => tellHost(scene, { imds: denyItem(id, { path: "/metadata/instance", to }) }),
    );
  };
  await scene.step("by user", async () => {
    await both("user", { userName: "nobody" });
    const allowed = await askImds(scene, INSTANCE, { user: NOBODY });
    assert.deepEqual([allowed.status, allowed.record?.["decision"]], [200, "allow"]);
    const denied = await askImds(scene, INSTANCE, { user: DAEMON });
    assert.deepEqual(
      [denied.status, denied.record?.["decision"], denied.record?.["reason"]],
      [403, "deny", "rule-denied"],
    );
    assert.equal((await askImds(scene, INSTANCE)).status, 403, "root is no exception");
  });
  await scene.step("what no privilege covers goes by the default", async () => {
    const { status, record } = await askImds(scene, ATTESTED, { user: NOBODY });
    assert.deepEqual([status, record?.["reason"]], [403, "default-denied"]);
  });
  await scene.step("by group", async () => {
    await both("group", { groupName: "daemon" });
    assert.equal((await askImds(scene, INSTANCE, { user: DAEMON })).status, 200);
    assert.equal((await askImds(scene, INSTANCE, { user: NOBODY })).status, 403);
  });
  await scene.step("by process name", async () => {
    await both("process", { processName: "curl" });
    assert.equal((await askImds(scene, INSTANCE, { user: NOBODY })).status, 200);
    assert.equal(await pythonAsks(scene, NOBODY), 403);
  });
  await scene.step("by path of the executable, which a copy does not have", async () => {
    await both("path", { exePath: curl });
    assert.equal((await askImds(scene, INSTANCE, { user: NOBODY })).status, 200);
    assert.equal(await pythonAsks(scene, NOBODY), 403);
    const folder = `${scene.world.sandbox.folder}/copy`;
    await Deno.mkdir(folder);
    await Deno.copyFile(curl, `${folder}/curl`);
    await Deno.chmod(`${folder}/curl`, 0o755);
    const copy = await askImds(scene, INSTANCE, { user: NOBODY }, [`${folder}/curl`]);
    assert.equal(copy.status, 403);
  });
  await scene.step("all selectors of an identity together", async () => {
    await both("all", { userName: "nobody", groupName: "nogroup", processName: "curl" });
    assert.equal((await askImds(scene, INSTANCE, { user: NOBODY })).status, 200);
    assert.equal((await askImds(scene, INSTANCE, { user: DAEMON })).status, 403);
  });
});

/** The newest rules that the agent dumped. */
async function newestDump(scene: Scene): Promise<string> {
  const { logFolder } = scene.world;
  const names = [...Deno.readDirSync(logFolder)].map(({ name }) => name)
    .filter((name) => name.startsWith("AuthorizationRules_") && name.endsWith(".json")).sort();
  return names.length === 0 ? "" : await Deno.readTextFile(`${logFolder}/${names.at(-1)}`);
}

/** What the command line says of a request on record, by the rules in a file. */
async function explained(
  scene: Scene,
  record: Json,
  rulesPath: string,
): Promise<{ code: number; verdict: Json }> {
  const { sandbox } = scene.world;
  const { code, stdout, stderr } = await sandbox.run([
    ...sourceProgram(),
    ...["policy", "explain", "--json", "--from-audit", JSON.stringify(record)],
    ...["--policy", rulesPath],
  ], { inCgroup: false, env: denoEnvironment() });
  assert.equal(stderr, "");
  return { code, verdict: JSON.parse(stdout) };
}

e2eTest("policy explain gives the reason that the agent gave", {}, async (scene) => {
  await installed(scene, () =>
    tellHost(scene, {
      imds: denyItem("explained", { path: "/metadata/instance", to: { userName: "nobody" } }),
    }));
  const rulesPath = `${scene.world.sandbox.folder}/rules.json`;
  await until("the rules are dumped", async () => {
    const dump = await newestDump(scene);
    await Deno.writeTextFile(rulesPath, dump);
    return dump.includes("explained");
  });
  for (
    const [target, user, exit] of [
      [INSTANCE, NOBODY, 0],
      [INSTANCE, DAEMON, 1],
      [ATTESTED, NOBODY, 1],
    ] as const
  ) {
    const { record } = await askImds(scene, target, { user });
    assert.ok(record !== null && record !== undefined);
    const { code, verdict } = await explained(scene, record, rulesPath);
    assert.equal(code, exit, target);
    assert.equal(verdict["verdict"], record["decision"]);
    if (exit === 1) assert.equal(verdict["reason"], record["reason"]);
  }
});

e2eTest("rules narrow WireServer and never open it", {}, async (scene) => {
  const versions = { path: "/", queryParameters: { comp: "versions" } };
  await installed(scene, () =>
    tellHost(scene, {
      wireserver: denyItem("ws", { ...versions, to: { userName: "root" } }, {
        ...versions,
        to: { userName: "nobody" },
      }),
    }));
  const url = (target: string, port = "") => `http://${WIRESERVER}${port}${target}`;
  assert.equal(await scene.statusOf(url(VERSIONS)), 200);
  assert.equal(await scene.statusOf(url("/machine/?comp=goalstate")), 403);
  assert.equal(await scene.statusOf(url(VERSIONS), { user: NOBODY }), 403);
  assert.equal(
    await scene.statusOf(url("/vmSettings", ":32526")),
    403,
    "HostGAPlugin has WireServer's rules",
  );
});

e2eTest("a reload shows with the next request of an open connection", {}, async (scene) => {
  const item = (id: string, userName: string) => ({
    imds: denyItem(id, { path: "/metadata/instance", to: { userName } }),
  });
  await installed(scene, () => tellHost(scene, item("first", "nobody")));
  const client = await RawClient.start(scene, { user: NOBODY });
  const get = request("GET", INSTANCE, ["Metadata: true"]);
  const talk = client.talk([IMDS, 80], [
    { send: get },
    { read: 1 },
    { pauseMs: 5_000 },
    { send: get },
    { read: 1 },
  ], 20_000);
  await pause(500);
  await installed(scene, () => tellHost(scene, item("second", "daemon")));
  const result = await talk;
  assert.deepEqual(result.answers.map(({ status }) => status), [200, 403]);
  await client.end();
  const records = (await scene.world.audit()).filter((line) => line["requestPath"] !== null)
    .slice(-1);
  assert.equal(records[0]?.["decision"], "deny");
});

e2eTest("a refused document keeps the policy, turns the status red and is told", {
  limitMs: 90_000,
}, async (scene) => {
  const grant = { path: "/metadata/instance", to: { userName: "nobody" } };
  await installed(scene, () => tellHost(scene, { imds: denyItem("good", grant) }));
  const statesOf = async () => {
    const status = await scene.world.status();
    const inner = status["proxyAgentStatus"] as Record<string, Json>;
    return inner["keyLatchStatus"]?.["states"] as Record<string, string>;
  };
  await until(
    "the status tells the epoch",
    async () => Number((await statesOf())["activePolicyEpoch"]) > 0,
  );
  await until(
    "the epoch in the status is the one of the policy",
    async () => (await statesOf())["imdsRuleId"] === "good",
  );
  const epoch = (await statesOf())["activePolicyEpoch"];
  const refused: [string, Json, RegExp][] = [
    [
      "an unknown mode",
      { ...denyItem("bad", grant), mode: "strict" },
      /\$\S*\.imds\.mode is "strict"/,
    ],
    [
      "a wrong type",
      { ...denyItem("bad", grant), rules: { roles: {} } },
      /\$\S*\.imds\.rules\.roles/,
    ],
    [
      "a path without canonical form",
      denyItem("bad", { path: "/a/../../b", to: { userName: "daemon" } }),
      /\$\S*imds\.rules\.privileges\[0\]/,
    ],
  ];
  for (const [what, item, words] of refused) {
    await scene.step(what, async () => {
      const before = await activeEpoch(scene);
      await tellHost(scene, { imds: item });
      await until("the status is red", async () => {
        const { status, message } = await scene.moduleStatus("keyLatchStatus");
        return status === "STOPPED" && words.test(message);
      });
      assert.equal(await activeEpoch(scene), before);
      const states = await statesOf();
      assert.equal(states["activePolicyEpoch"], epoch);
      assert.match(states["lastFailedInstallReason"] ?? "", words);
      assert.match(states["lastFailedInstallAt"] ?? "", /^\d{4}-\d\d-\d\dT/);
      assert.equal((await askImds(scene, INSTANCE, { user: NOBODY })).status, 200);
      assert.equal((await askImds(scene, INSTANCE, { user: DAEMON })).status, 403);
    });
  }
  await scene.step("a good one makes it well again", async () => {
    await installed(
      scene,
      () => tellHost(scene, { imds: denyItem("next", { ...grant, to: { userName: "daemon" } }) }),
    );
    await until(
      "the status is green",
      async () => (await scene.moduleStatus("keyLatchStatus")).status === "RUNNING",
    );
    assert.equal((await askImds(scene, INSTANCE, { user: DAEMON })).status, 200);
  });
});

e2eTest("the number of a policy grows over restarts, also without its file", {
  limitMs: 120_000,
}, async (scene) => {
  const epochs: number[] = [];
  const note = async () => {
    const { record } = await askImds(scene, INSTANCE);
    epochs.push(Number(record?.["policyEpoch"]));
  };
  await note();
  await installed(scene, () => tellHost(scene, { imds: denyItem("x") }));
  await note();
  await scene.world.killAgent();
  await scene.world.startAgent();
  await note();
  await scene.world.stopAgent();
  await Deno.remove(`${scene.world.keyFolder}/policy.epoch`);
  await scene.world.startAgent();
  await note();
  assert.ok(epochs.every((epoch, at) => at === 0 || epoch > epochs[at - 1]!), epochs.join());
});

for (const [word, encodedStatus] of [["off", 200], ["shadow", 200], ["enforce", 403]] as const) {
  e2eTest(`a spelling that only one matcher allows, with canonicalRequestMode ${word}`, {
    config: { canonicalRequestMode: word },
  }, async (scene) => {
    const grant = { path: "/metadata/instance", to: { userName: "nobody" } };
    await installed(scene, () => tellHost(scene, { imds: denyItem("x", grant) }));
    assert.equal((await askImds(scene, INSTANCE, { user: NOBODY })).status, 200);
    // A beginning of text to one matcher, another segment to the other one.
    const prefix = INSTANCE.replace("instance", "instances");
    const { status, record } = await askImds(scene, prefix, { user: NOBODY });
    assert.equal(status === 403 ? 403 : 200, encodedStatus, `${status}`);
    if (word === "enforce") assert.equal(record?.["reason"], "matchers-disagree");
    assert.equal((await askImds(scene, prefix, { user: DAEMON })).status, 403);
  });
}
