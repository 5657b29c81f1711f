/** The program as administrators and other programs see it: command line, configuration, files, status, the end. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import type { Finished, RunOptions } from "../../tools/sandbox/mod.ts";
import { VERSION } from "../../src/version.ts";
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
import { PYTHON, Talker } from "../kernel/machine.ts";
import { field } from "./answer.ts";

const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;
const VERSIONS_URL = `http://${WIRESERVER}${VERSIONS}`;
const STATUS_URL = `http://${WIRESERVER}/gpa-aggregated-status`;
const AS_NOBODY = { user: NOBODY };
const METADATA = ["-H", "Metadata: true"];
const STOPPED_WITHIN_MS = 8_000;
/** What the platform's own package ships, as far as it is not about places. */
const SHIPPED = {
  monitorIntervalInSeconds: 60,
  ebpfProgramName: "ebpf_cgroup.o",
  fileLogLevel: "Trace",
  fileLogLevelForEvents: "Info",
  fileLogLevelForSystemEvents: "Info",
  canonicalRequestMode: "Shadow",
  hostGAPluginSupport: 1,
};

/** Runs the program with these arguments to its end. */
function program(
  scene: Scene,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const { sandbox, program } = scene.world;
  return sandbox.run([...program, ...args], { env: denoEnvironment(), ...options });
}

e2eTest("an older configuration file runs as it is, and what nobody knows is a warning", {
  label: "shipped",
  config: { ...SHIPPED, madeUpKey: true, pollKeyStatusIntervalInSecond: 3 },
}, async (scene) => {
  const { world } = scene;
  assert.equal(await scene.statusOf(INSTANCE_URL, AS_NOBODY), 200);
  assert.equal(await scene.statusOf(VERSIONS_URL, AS_NOBODY), 403);
  await until("the log is written", async () => (await scene.logLines("provisioning")).length > 0);
  assert.deepEqual((await scene.logLines("[WARN]")).map((line) => line.slice(34)), [
    'configuration warning="`madeUpKey` is no known key and changes nothing"',
    'configuration warning="`pollKeyStatusIntervalInSecond` is no known key and changes nothing; ' +
    'did you mean `pollKeyStatusIntervalInSeconds`?"',
  ]);

  await scene.step("the log at its fullest holds no secret", async () => {
    const token = "tok3n-" + crypto.randomUUID();
    await scene.curl([
      ...METADATA,
      ...["-H", `Authorization: Bearer ${token}`],
      `http://${IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x`,
    ], AS_NOBODY);
    await scene.curl([...METADATA, `${VERSIONS_URL}&sig=${token}`]);
    await scene.world.simulator.rotateKey();
    await pause(2_500);
    const secrets = [
      "Azure-HMAC-SHA256 ",
      token,
      ...keysIn(world.keyFolder),
      ...await tokensOf(scene),
    ];
    assert.ok(secrets.length >= 4, "two keys and a token are looked for");
    assert.equal(await world.stopAgent(), 0);
    const texts = [...filesIn(world.logFolder), `${world.sandbox.folder}/agent.out`]
      .map((path) => ({ path, text: Deno.readTextFileSync(path) }));
    assert.ok(texts.some(({ text }) => text.includes("[TRACE]") || text.includes("[DEBUG]")));
    for (const { path, text } of texts) {
      for (const secret of secrets) {
        assert.equal(text.toLowerCase().includes(secret.toLowerCase()), false, path);
      }
    }
  });
});

e2eTest("what is wrong in the configuration ends with 2, the key and the remedy", {
  label: "wrong",
  started: false,
}, async (scene) => {
  const { configFile, logFolder } = scene.world;
  const good = JSON.parse(await Deno.readTextFile(configFile));
  const { logFolder: _, ...without } = good;
  const cases: [string, RegExp][] = [
    [JSON.stringify(without), /`logFolder` is missing; add it/],
    [
      JSON.stringify({ ...good, pollKeyStatusIntervalInSeconds: "15" }),
      /`pollKeyStatusIntervalInSeconds` is "15", must be a whole number from 1 to 86400, without quotes/,
    ],
    [
      JSON.stringify({ ...good, maxConnectionsPerUser: 0 }),
      /`maxConnectionsPerUser` is 0, must be a whole number from 1 to 65536/,
    ],
    ["{", /no valid JSON at line 1, column 2/],
    ["[]", /it must be an object; put the keys between/],
  ];
  for (const [text, words] of cases) {
    await Deno.writeTextFile(configFile, text);
    const { code, stderr } = await program(scene, ["console", "--config", configFile]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, words);
    assert.ok(stderr.includes(`The configuration \`${configFile}\` is wrong: `), stderr);
  }
  const missing = await program(scene, ["console", "--config", `${configFile}.none`]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^The configuration `.*\.none` cannot be read: ENOENT/);
  await assert.rejects(Deno.stat(logFolder), Deno.errors.NotFound, "nothing was touched");
});

e2eTest("--version and --status", { label: "words", started: false }, async (scene) => {
  const { world } = scene;
  assert.deepEqual(await program(scene, ["--version"]), {
    code: 0,
    stdout: `${VERSION}\n`,
    stderr: "",
  });
  const alone = await program(scene, ["--status", "--wait", "1"]);
  assert.equal(alone.code, 1);
  assert.match(alone.stdout, /^Failed to query the current provision state with error: .+\.\n$/);
  const detailed = ["--status", "--json", "--detailed-exit-codes"];
  const missing = await program(scene, detailed);
  assert.deepEqual([missing.code, JSON.parse(missing.stdout).outcome], [3, "unreachable"]);
  const misused = await program(scene, [...detailed, "--nonsense"]);
  assert.deepEqual([misused.code, misused.stdout], [64, ""]);

  await world.spawnAgent();
  const waited = await program(scene, ["--status", "--wait", "15"]);
  assert.deepEqual([waited.code, waited.stderr], [0, ""]);
  await world.waitUntilReady();
  const began = performance.now();
  assert.equal((await program(scene, ["--status", "--wait", "5"])).code, 0);
  assert.ok(performance.now() - began < 4_000, "a finished state is not waited for");
  const { code, stdout } = await program(scene, detailed);
  const { elapsedMs, ...told } = JSON.parse(stdout);
  assert.ok(elapsedMs > 0);
  const finished = { outcome: "finished", exitCode: 0, finished: true, missing: [], error: null };
  assert.deepEqual([code, told], [0, { ...finished, queries: 1 }]);
});

e2eTest("the status document: shape and order as other programs know them", {
  label: "status",
}, async (scene) => {
  const { world } = scene;
  await scene.statusOf(INSTANCE_URL, AS_NOBODY);
  await scene.statusOf(VERSIONS_URL, AS_NOBODY);

  await scene.step("/gpa-aggregated-status for root", async () => {
    const { answer } = await scene.curl([...METADATA, STATUS_URL]);
    assert.equal(answer?.status, 200);
    assert.equal(field(answer, "content-type"), "application/json; charset=utf-8");
    const text = answer.body;
    assert.equal(text, JSON.stringify(JSON.parse(text)), "compact");
    assert.equal(golden(text), GOLDEN);
    const document = JSON.parse(text);
    assert.deepEqual(
      fromCallers(document.proxyConnectionSummary).map(shownEntry),
      [["nobody", IMDS, 80, "200 OK", 1], ["nobody", WIRESERVER, 80, "403 Forbidden", 1]],
    );
    assert.deepEqual(
      document.failedAuthenticateSummary.map(shownEntry),
      [["nobody", WIRESERVER, 80, "403 Forbidden", 1]],
    );
  });
  await scene.step("not for others, and not without the Metadata field", async () => {
    const direct = "http://127.0.0.1:3080/gpa-aggregated-status";
    const { host, value } = await scene.observe(async () => [
      await scene.statusOf(STATUS_URL, AS_NOBODY),
      (await scene.curl([STATUS_URL])).answer?.status,
      await scene.statusOf(direct, AS_NOBODY),
      (await scene.curl([direct])).answer?.status,
      // DEVIATION D-42
      await scene.statusOf(direct),
    ]);
    assert.deepEqual(value, [403, 400, 403, 400, 200]);
    assert.deepEqual(host, []);
  });
  await scene.step("status.json is the same, pretty", async () => {
    // Written with a change: the channel's.
    await scene.setModes({ wireserver: "enforce", imds: "audit" });
    const path = `${world.logFolder}/status.json`;
    await until("it is written", async () => (await Deno.readTextFile(path)).includes("Audit"));
    const text = await Deno.readTextFile(path);
    assert.equal(text, JSON.stringify(JSON.parse(text), null, 2), "pretty");
    assert.equal(golden(text), GOLDEN.replace("IMDS Enforce", "IMDS Audit"));
  });
  await scene.step("each policy is dumped", async () => {
    const dumps = () =>
      [...Deno.readDirSync(world.logFolder)].map(({ name }) => name)
        .filter((name) => name.startsWith("AuthorizationRules_")).sort();
    await until("there are two", () => Promise.resolve(dumps().length === 2));
    const modes = dumps().map((name) => {
      assert.match(
        name,
        /^AuthorizationRules_\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}-\d{19}\.json$/,
      );
      const { inputRules, computedRules } = JSON.parse(
        Deno.readTextFileSync(`${world.logFolder}/${name}`),
      );
      assert.deepEqual(Object.keys(computedRules).sort(), ["hostga", "imds", "wireserver"]);
      return [inputRules.imds.mode, computedRules.imds.mode, computedRules.wireserver.mode];
    });
    assert.deepEqual(modes, [["enforce", "Enforce", "Enforce"], ["audit", "Audit", "Enforce"]]);
  });
  await scene.step("modes of files and folders", async () => {
    await scene.world.stopAgent();
    const modes = (folder: string) =>
      [folder, ...filesIn(folder)].map((path) => (Deno.statSync(path).mode ?? 0) & 0o7777);
    const [logFolder, ...logFiles] = modes(world.logFolder);
    assert.equal(logFolder, 0o750);
    assert.ok(logFiles.length >= 5);
    assert.deepEqual([...new Set(logFiles)], [0o640]);
    const [keyFolder, ...keyFiles] = modes(world.keyFolder);
    assert.equal(keyFolder, 0o700);
    assert.deepEqual([...new Set(keyFiles)], [0o600]);
  });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  e2eTest(`${signal} under load and with silent connections ends with 0 in time`, {
    label: "stop",
    config: { maxConnectionsPerUser: 1_000 },
  }, async (scene) => {
    const silent = new Talker(
      scene.world.sandbox.spawn([PYTHON, "-uc", SILENT], { ...AS_NOBODY, stdin: "piped" }),
      true,
    );
    assert.equal(await silent.line(), "500");
    const client = await scene.python(
      "clients/knocker.py",
      [IMDS, INSTANCE, "200", "keep-alive"],
      AS_NOBODY,
    );
    await client.line();
    await scene.faults({ kind: "hang", endpoint: "imds", path: `${INSTANCE}&of=hang` });
    const hanging = scene.statusOf(`${INSTANCE_URL}&of=hang`, AS_NOBODY);
    await pause(500);

    const began = performance.now();
    const code = await scene.world.stopAgent(signal);
    const tookMs = Math.round(performance.now() - began);
    assert.equal(code, 0);
    assert.ok(tookMs < STOPPED_WITHIN_MS, `${tookMs} ms`);
    assert.equal((await scene.logLines("GuestProxyAgent has stopped")).length, 1);

    await hanging;
    await client.hears("enough");
    const { statuses } = await client.says<{ statuses: Record<string, number> }>();
    assert.ok((statuses["200"] ?? 0) > 50, JSON.stringify(statuses));
    await silent.hears("enough");
    await silent.ended();
  });
}

const SILENT = `
import socket, sys
held = []
for each in range(500):
    s = socket.socket()
    s.connect(("${IMDS}", 80))
    held.append(s)
print(len(held))
sys.stdin.readline()
`;

/** Without those who asked the agent itself whether it is ready. */
function fromCallers(entries: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  return entries.filter(({ ip }) => ip !== "None");
}

/** Who asked what, and how it went; the command line has the machine's paths. */
function shownEntry(entry: Record<string, unknown>): unknown[] {
  return ["userName", "ip", "port", "responseStatus", "count"].map((name) => entry[name]);
}

/** The document with a fixed word for every value that another run would not have, and lists cut to callers' first entry. */
function golden(text: string): string {
  const document = JSON.parse(text);
  for (const list of ["proxyConnectionSummary", "failedAuthenticateSummary"]) {
    document[list] = fromCallers(document[list]).slice(0, 1);
  }
  return JSON.stringify(document, (name, value) => FIXED_WORDS[name]?.(value) ?? value, 2);
}

const placed = (pattern: RegExp, name: string) => (value: unknown): string => {
  assert.match(String(value), pattern, name);
  return `<${name}>`;
};
const FIXED_WORDS: Readonly<Record<string, (value: unknown) => unknown>> = {
  timestamp: placed(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/, "time"),
  lastPollTime: placed(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, "poll time"),
  hostClockAheadInSeconds: placed(/^-?\d$/, "seconds"),
  activePolicyEpoch: placed(/^[1-9]\d*$/, "epoch"),
  version: placed(/^\d+\.\d+\.\d+$/, "version"),
  message: placed(/^\S.{5,1023}$/, "message"),
  keyGuid: placed(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "guid"),
  wireServerRuleId: placed(/^\S+$/, "id"),
  imdsRuleId: placed(/^\S+$/, "id"),
  hostGARuleId: placed(/^\S+$/, "id"),
  proxyConnectionsCount: placed(/^[1-9]\d*$/, "count"),
  seq: placed(/^[1-9]\d*$/, "seq"),
  keptFromSeq: placed(/^[1-9]\d*$/, "seq"),
  hash: placed(/^[0-9a-f]{64}$/, "hash"),
  processCmdLine: placed(/^curl /, "command line"),
  processFullPath: placed(/^\/.*\/curl$/, "path"),
};

const GOLDEN = `{
  "timestamp": "<time>",
  "proxyAgentStatus": {
    "version": "<version>",
    "status": "SUCCESS",
    "monitorStatus": {
      "status": "RUNNING",
      "message": "<message>"
    },
    "keyLatchStatus": {
      "status": "RUNNING",
      "message": "<message>",
      "states": {
        "secureChannelState": "WireServer Enforce -  IMDS Enforce - HostGA Enforce",
        "keyGuid": "<guid>",
        "wireServerRuleId": "<id>",
        "imdsRuleId": "<id>",
        "hostGARuleId": "<id>",
        "keyIncarnationId": "1",
        "lastPollTime": "<poll time>",
        "activePolicyEpoch": "<epoch>",
        "hostClockAheadInSeconds": "<seconds>"
      }
    },
    "ebpfProgramStatus": {
      "status": "RUNNING",
      "message": "<message>"
    },
    "proxyListenerStatus": {
      "status": "RUNNING",
      "message": "<message>"
    },
    "telemetryLoggerStatus": {
      "status": "UNKNOWN",
      "message": "<message>"
    },
    "proxyConnectionsCount": "<count>",
    "configurationStatus": {
      "status": "RUNNING",
      "message": "<message>"
    }
  },
  "proxyConnectionSummary": [
    {
      "userName": "nobody",
      "ip": "169.254.169.254",
      "port": 80,
      "processCmdLine": "<command line>",
      "responseStatus": "200 OK",
      "count": 1,
      "userGroups": [
        "nogroup"
      ],
      "processFullPath": "<path>"
    }
  ],
  "failedAuthenticateSummary": [
    {
      "userName": "nobody",
      "ip": "168.63.129.16",
      "port": 80,
      "processCmdLine": "<command line>",
      "responseStatus": "403 Forbidden",
      "count": 1,
      "userGroups": [
        "nogroup"
      ],
      "processFullPath": "<path>"
    }
  ],
  "auditLog": {
    "seq": "<seq>",
    "hash": "<hash>",
    "keptFromSeq": "<seq>"
  }
}`;

/** Paths of all regular files below the folder. */
function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory, isFile }) =>
    isDirectory ? filesIn(`${folder}/${name}`) : isFile ? [`${folder}/${name}`] : []
  );
}

/** The texts of all keys in the folder. */
function keysIn(folder: string): string[] {
  return filesIn(folder).filter((path) => path.endsWith(".key")).map((path) => {
    const { key } = JSON.parse(Deno.readTextFileSync(path)) as { key: string };
    assert.match(key, /^[0-9A-Fa-f]{64}$/);
    return key;
  });
}

/** The token that IMDS gives out, as a caller gets it. */
async function tokensOf(scene: Scene): Promise<string[]> {
  const { answer } = await scene.curl([
    ...METADATA,
    `http://${IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://x/`,
  ], AS_NOBODY);
  const { access_token: token } = JSON.parse(answer?.body ?? "{}") as { access_token: string };
  assert.ok(token.length > 20);
  return [token];
}
