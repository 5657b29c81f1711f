/** Unmodified clients through the redirect: what they get, and what the host sees of them. */
import assert from "node:assert/strict";
import type { JournalLine } from "../../src/simulator/journal.ts";
import {
  CLIENT_TOOLS,
  denoEnvironment,
  ensureTools,
  nodePath,
  unpackPackage,
} from "../../tools/setup/mod.ts";
import { PYTHON } from "../kernel/machine.ts";
import { field } from "./answer.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  type Observed,
  ROOT_FOLDER,
  type Scene,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;
const TELEMETRY_URL = `http://${WIRESERVER}/machine?comp=telemetrydata`;
const HOSTGA_URL = `http://${WIRESERVER}:32526`;
const AS_NOBODY = { user: NOBODY };
const METADATA = ["-H", "Metadata: true"];
/** curl with fixed words about itself, so that all it sends is known. */
const PLAIN = ["-A", "plain", ...METADATA, INSTANCE_URL];

/** Asserts that the host saw exactly these requests, each signed with the latched key and the right claim. */
function assertSigned(
  { host }: Observed<unknown>,
  isRoot: boolean,
  expected: readonly string[],
): void {
  assert.deepEqual(
    host.map(({ method, target, status }) => `${method} ${target} ${status}`),
    expected,
  );
  for (const line of host) {
    assert.deepEqual(
      [line.verdict, line.key, line.isRoot],
      ["signed", "latched", isRoot],
      line.target,
    );
  }
}

/** The fields that the agent adds, at the end and in this order, and those before them. */
function fieldsOf(line: JournalLine | undefined): string[] {
  const fields = line?.headers.map(([name, value]) => `${name}: ${value}`) ?? [];
  const [claims, date, authorization] = fields.splice(-3);
  assert.equal(claims, `x-ms-azure-host-claims: { "isRoot": "${line?.isRoot}"}`);
  assert.match(
    date ?? "",
    /^x-ms-azure-host-date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/,
  );
  assert.equal(authorization, "x-ms-azure-host-authorization: [withheld, 119 characters]");
  return fields;
}

e2eTest("curl works through the redirect, whatever it is asked to send", {}, async (scene) => {
  await ensureTools(CLIENT_TOOLS);
  const body = `${scene.world.sandbox.folder}/body`;
  await Deno.writeTextFile(body, "0123456789".repeat(9_000));
  const target = INSTANCE;

  await scene.step("a plain GET: what it sent, in its order, and the agent's fields", async () => {
    const seen = await scene.observe(() => scene.curl(PLAIN, AS_NOBODY));
    assertSigned(seen, false, [`GET ${target} 200`]);
    assert.deepEqual(fieldsOf(seen.host[0]), [
      `host: ${IMDS}`,
      "user-agent: plain",
      "accept: */*",
      "metadata: true",
    ]);
    const { answer } = seen.value;
    assert.equal(answer?.status, 200);
    assert.equal(JSON.parse(answer.body).compute.name, "simulated-vm");
    assert.deepEqual(answer.headers.map(([name]) => name).sort(), [
      "content-length",
      "content-type",
      "date",
      "x-ms-azure-host-authorization",
    ]);
    assert.equal(field(answer, "x-ms-azure-host-authorization"), "value");
  });

  await scene.step("--http2: the offered upgrade is passed on and not taken", async () => {
    const seen = await scene.observe(() => scene.curl(["--http2", ...PLAIN], AS_NOBODY));
    assertSigned(seen, false, [`GET ${target} 200`]);
    const fields = fieldsOf(seen.host[0]);
    assert.ok(fields.includes("connection: Upgrade, HTTP2-Settings"));
    assert.ok(fields.includes("upgrade: h2c"));
    assert.ok(fields.some((each) => each.startsWith("http2-settings: ")));
    assert.deepEqual([seen.value.answer?.version, seen.value.answer?.status], ["1.1", 200]);
  });

  await scene.step("--http1.0: answered as 1.0, and the connection ends", async () => {
    const seen = await scene.observe(() => scene.curl(["--http1.0", ...PLAIN], AS_NOBODY));
    assertSigned(seen, false, [`GET ${target} 200`]);
    assert.deepEqual([seen.value.answer?.version, seen.value.answer?.status], ["1.0", 200]);
    assert.equal(seen.value.code, 0);
  });

  await scene.step("HEAD: the length of the body, and no body", async () => {
    const seen = await scene.observe(() => scene.curl(["-I", ...PLAIN], AS_NOBODY));
    assertSigned(seen, false, [`HEAD ${target} 200`]);
    const { answer, code } = seen.value;
    assert.deepEqual([code, answer?.status, answer?.body], [0, 200, ""]);
    assert.ok(Number(field(answer!, "content-length")) > 500);
  });

  await scene.step("an upload of 90 KB in chunks arrives whole", async () => {
    const seen = await scene.observe(() =>
      scene.curl(["-H", "Transfer-Encoding: chunked", "--data-binary", `@${body}`, TELEMETRY_URL])
    );
    assertSigned(seen, true, ["POST /machine?comp=telemetrydata 200"]);
    assert.equal(seen.host[0]?.bodyBytes, 90_000);
    assert.ok(fieldsOf(seen.host[0]).includes("transfer-encoding: chunked"));
    assert.equal(seen.value.answer?.status, 200);
  });

  await scene.step("Expect: the agent says 100 Continue, the field is passed on", async () => {
    const seen = await scene.observe(() =>
      scene.curl(["-H", "Expect: 100-continue", "--data-binary", `@${body}`, TELEMETRY_URL])
    );
    assertSigned(seen, true, ["POST /machine?comp=telemetrydata 200"]);
    const fields = fieldsOf(seen.host[0]);
    assert.ok(fields.includes("expect: 100-continue"));
    assert.ok(fields.includes("content-length: 90000"));
    assert.equal(seen.host[0]?.bodyBytes, 90_000);
    assert.deepEqual([seen.value.answer?.interim, seen.value.answer?.status], [[100], 200]);
  });

  await scene.step("Expect with a body over the limit: refused", async () => {
    await Deno.writeTextFile(body, "x".repeat(102_401));
    const seen = await scene.observe(() =>
      scene.curl(["-H", "Expect: 100-continue", "--data-binary", `@${body}`, TELEMETRY_URL])
    );
    assertSigned(seen, true, []);
    const { answer } = seen.value;
    assert.deepEqual([answer?.status, answer?.body], [413, "length limit exceeded"]);
  });

  for (
    const [from, who, options] of [
      ["192.0.2.2", "an ordinary user", AS_NOBODY],
      ["192.0.2.2", "root", {}],
      ["eth0", "root", {}],
    ] as const
  ) {
    await scene.step(`--interface ${from}: redirected all the same for ${who}`, async () => {
      const seen = await scene.observe(() => scene.curl(["--interface", from, ...PLAIN], options));
      assertSigned(seen, who === "root", [`GET ${target} 200`]);
      assert.equal(seen.value.answer?.status, 200);
    });
  }

  await scene.step("--interface eth0 of an ordinary user never gets past the agent", async () => {
    // The kernel frees a socket from its device for privileged callers only; the others cannot connect.
    const seen = await scene.observe(() =>
      scene.curl(["--interface", "eth0", "-m", "5", ...PLAIN], AS_NOBODY)
    );
    for (const line of seen.host) assert.equal(line.verdict, "signed");
    const { answer, code } = seen.value;
    assert.ok(code !== 0 || answer?.status === 200, `${code}`);
  });

  await scene.step(
    "WireServer: root is served, an ordinary user refused with 403 and no mark",
    async () => {
      const root = await scene.observe(() => scene.curl([`http://${WIRESERVER}${VERSIONS}`]));
      assertSigned(root, true, [`GET ${VERSIONS} 200`]);
      assert.match(root.value.answer?.body ?? "", /<Versions>/);
      const other = await scene.observe(() =>
        scene.curl([`http://${WIRESERVER}${VERSIONS}`], AS_NOBODY)
      );
      assertSigned(other, false, []);
      assert.equal(other.value.answer?.status, 403);
      assert.equal(other.value.answer?.body, "");
      assert.equal(field(other.value.answer!, "x-ms-azure-host-authorization"), null);
      assert.equal(field(other.value.answer!, "connection"), "close");
    },
  );
});

e2eTest("Python's urllib works through the redirect", {}, async (scene) => {
  const script = await scene.place("clients/urllib_client.py");
  const metadata = { Metadata: "true" };
  const imds = await scene.observe(() =>
    run(scene, [PYTHON, script], [
      ["GET", INSTANCE_URL, metadata, null],
      // As SDKs probe: the host's 400 comes back unchanged.
      ["GET", `http://${IMDS}/metadata/identity/oauth2/token`, {}, null],
      // An address inside the query makes no absolute-form target.
      ["GET", `${tokenUrl("https://management.azure.com/")}`, metadata, null],
    ], AS_NOBODY)
  );
  assertSigned(imds, false, [
    `GET ${INSTANCE} 200`,
    "GET /metadata/identity/oauth2/token 400",
    "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/ 200",
  ]);
  assert.deepEqual(imds.value.map(([status, marker]) => [status, marker]), [
    [200, "value"],
    [400, "value"],
    [200, "value"],
  ]);
  assert.match(imds.value[1]?.[2] ?? "", /Required metadata header not specified/);
  assert.deepEqual(fieldsOf(imds.host[1]).map((each) => each.split(":")[0]), [
    "accept-encoding",
    "host",
    "user-agent",
  ]);

  const wireserver = await scene.observe(() =>
    run(scene, [PYTHON, script], [
      ["POST", TELEMETRY_URL, { "Content-Type": "text/xml" }, "<TelemetryData/>"],
      ["GET", `${HOSTGA_URL}/vmSettings`, {}, null],
    ])
  );
  assertSigned(wireserver, true, [
    "POST /machine?comp=telemetrydata 200",
    "GET /vmSettings 200",
  ]);
  assert.equal(wireserver.host[0]?.bodyBytes, 16);
});

e2eTest("Node's http keeps one connection for 200 requests with pauses", {}, async (scene) => {
  const script = await scene.place("clients/node_http.mjs");
  const seen = await scene.observe(async () => {
    const { stdout, stderr } = await scene.world.sandbox.run(
      [nodePath() ?? "node", script, INSTANCE_URL, "200", "100"],
      AS_NOBODY,
    );
    assert.equal(stderr, "");
    return JSON.parse(stdout);
  });
  assert.deepEqual(seen.value, { statuses: { "200": 200 }, reused: 199, connections: 1 });
  assertSigned(
    seen,
    false,
    Array.from({ length: 200 }, (_, number) => `GET ${INSTANCE}&n=${number} 200`),
  );
  const [record] = seen.audit;
  assert.deepEqual(
    [record?.["uid"], record?.["comm"], record?.["exeVerified"]],
    [NOBODY.uid, "node", true],
  );
});

e2eTest("fetch works through the redirect, Node's and Deno's", {}, async (scene) => {
  const script = await scene.place("clients/fetch_client.mjs");
  const calls = [[INSTANCE_URL, { headers: { Metadata: "true" } }], [INSTANCE_URL, {}]];
  for (
    const [name, command, options, isRoot] of [
      ["Node", [...nodeCommand(), script], AS_NOBODY, false],
      // Deno may lie where only root can run it.
      ["Deno", [Deno.execPath(), "run", "--no-config", "--allow-net", script], {}, true],
    ] as const
  ) {
    await scene.step(name, async () => {
      const seen = await scene.observe(() => run(scene, command, calls, options));
      assertSigned(seen, isRoot, [`GET ${INSTANCE} 200`, `GET ${INSTANCE} 400`]);
      assert.deepEqual(seen.value.map(([status, marker]) => [status, marker]), [
        [200, "value"],
        [400, "value"],
      ]);
    });
  }
  await scene.step("Deno's posts to WireServer", async () => {
    const command = [Deno.execPath(), "run", "--no-config", "--allow-net", script];
    const seen = await scene.observe(() =>
      run(scene, command, [[TELEMETRY_URL, { method: "POST", body: "<TelemetryData/>" }]])
    );
    assertSigned(seen, true, ["POST /machine?comp=telemetrydata 200"]);
    assert.equal(seen.host[0]?.bodyBytes, 16);
  });
});

e2eTest(
  "Java's clients, which dial IPv4-mapped addresses, work through the redirect",
  {},
  async (scene) => {
    await ensureTools(CLIENT_TOOLS);
    const script = await scene.place("clients/JavaClient.java");
    const ask = async (client: string) => {
      const { stdout, stderr } = await scene.world.sandbox.run(
        ["java", script, client, INSTANCE_URL],
        AS_NOBODY,
      );
      assert.equal(stderr, "");
      return stdout.trim().split("\n");
    };
    for (const client of ["HttpURLConnection", "HttpClient/1.1"]) {
      await scene.step(client, async () => {
        const seen = await scene.observe(() => ask(client));
        assert.deepEqual(seen.value, ["200 value", "200 value", "200 value", "mapped true"]);
        assertSigned(seen, false, Array.from({ length: 3 }, () => `GET ${INSTANCE} 200`));
        assert.deepEqual(
          [seen.audit[0]?.["uid"], seen.audit[0]?.["ip"], seen.audit[0]?.["comm"]],
          [NOBODY.uid, IMDS, "java"],
        );
      });
    }
    await scene.step(
      "HttpClient: an upgrade is offered, in older releases with a length",
      async () => {
        const seen = await scene.observe(() => ask("HttpClient"));
        assert.deepEqual(seen.value.slice(0, 3), Array(3).fill("200 value"));
        assertSigned(seen, false, Array.from({ length: 3 }, () => `GET ${INSTANCE} 200`));
      },
    );
  },
);

e2eTest("@azure/identity gets a managed identity's token", { limitMs: 180_000 }, async (scene) => {
  const folder = `${scene.world.sandbox.folder}/azure_identity`;
  await Deno.mkdir(folder);
  for (const file of ["package.json", "deno.lock", "client.mjs"]) {
    await Deno.copyFile(
      `${ROOT_FOLDER}/tests/e2e/clients/azure_identity/${file}`,
      `${folder}/${file}`,
    );
  }
  const installed = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--frozen", "--node-modules-dir=auto"],
    cwd: folder,
    env: denoEnvironment(),
  }).output();
  assert.equal(installed.code, 0, new TextDecoder().decode(installed.stderr));
  const seen = await scene.observe(async () => {
    const { stdout, stderr } = await scene.world.sandbox.run(
      [...nodeCommand(), `${folder}/client.mjs`],
      { ...AS_NOBODY, cwd: folder },
    );
    assert.equal(stderr, "");
    return JSON.parse(stdout);
  });
  const token = { isSimulated: true, hoursValid: 24 };
  assert.deepEqual(seen.value, { ManagedIdentityCredential: token, DefaultAzureCredential: token });
  assertSigned(seen, false, [
    "GET /metadata/identity/oauth2/token 400",
    "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com 200",
    "GET /metadata/identity/oauth2/token 400",
  ]);
  assert.deepEqual(seen.audit.map((line) => line["uid"]), [NOBODY.uid, NOBODY.uid, NOBODY.uid]);
});

e2eTest("Debian's waagent talks to the host", { limitMs: 180_000 }, async (scene) => {
  await ensureTools(CLIENT_TOOLS);
  const { folder } = scene.world.sandbox;
  await unpackPackage(["python3-distro"], `${folder}/package`); // waagent's own dependency
  await unpackPackage(["waagent", "walinuxagent"], `${folder}/package`);
  const script = await scene.place("clients/waagent_client.py");
  const seen = await scene.observe(async () => {
    const packages = `${folder}/package/usr/lib/python3/dist-packages`;
    const { stdout, stderr } = await scene.world.sandbox.run(
      [PYTHON, script, packages, `${folder}/waagent`],
    );
    assert.equal(stderr, "");
    return JSON.parse(stdout);
  });
  const { thumbprint } = await scene.world.simulator.call("GET", "/certificate") as {
    thumbprint: string;
  };
  assert.deepEqual(seen.value, {
    incarnation: "1",
    vmName: "_simulated-vm",
    certificates: [thumbprint],
    privateKeys: [thumbprint],
    goalStateFrom: "ExtensionsGoalStateFromVmSettings",
    compute: "simulated-vm",
    imdsHealthy: [true, ""],
    hostPluginHealthy: true,
    apiVersions: '["2015-09-01"]',
    vmSettings: 200,
    vmSettingsAgain: 304,
  });
  // The upload of logs is one of the two requests that go unsigned.
  const uploads = seen.host.filter(({ target }) => target === "/vmAgentLog");
  assert.deepEqual(
    uploads.map(({ method, endpoint, verdict, bodyBytes, isRoot, status }) => ({
      method,
      endpoint,
      verdict,
      bodyBytes,
      isRoot,
      status,
    })),
    [{
      method: "PUT",
      endpoint: "hostga",
      verdict: "unsigned",
      bodyBytes: 200_002,
      isRoot: true,
      status: 200,
    }],
  );
  const others = seen.host.filter((line) => !uploads.includes(line));
  for (const line of others) {
    assert.deepEqual(
      [line.verdict, line.isRoot, line.key],
      ["signed", true, "latched"],
      line.target,
    );
  }
  const asked = new Set(others.map(({ method, endpoint, target }) => {
    const at = target.indexOf("type=");
    return `${method} ${endpoint} ${
      at === -1 ? target.replace(/^\/machine\/[^?]+/, "…") : target.slice(at).split("&")[0]
    }`;
  }));
  for (
    const expected of [
      "GET wireserver /?comp=versions",
      "GET wireserver /machine/?comp=goalstate",
      "GET wireserver type=hostingEnvironmentConfig",
      "GET wireserver type=sharedConfig",
      "GET wireserver type=extensionsConfig",
      "GET wireserver …?comp=certificates&incarnation=1",
      "POST wireserver /machine?comp=health",
      "POST wireserver /machine?comp=roleProperties",
      "POST wireserver /machine?comp=telemetrydata",
      "POST wireserver /HealthService",
      "GET hostga /health",
      "GET hostga /versions",
      "GET hostga /vmSettings",
      "PUT hostga /status",
      "GET imds /metadata/instance?api-version=2018-02-01",
      "GET imds /metadata/instance/compute?api-version=2018-02-01",
    ]
  ) assert.ok(asked.has(expected), `${expected}\n${[...asked].join("\n")}`);
  const certificates = others.find(({ target }) => target.includes("comp=certificates"));
  const certificate = certificates?.headers.find(([name]) =>
    name === "x-ms-guest-agent-public-x509-cert"
  );
  assert.ok((certificate?.[1].length ?? 0) >= 1000);
});

function tokenUrl(resource: string): string {
  return `http://${IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`;
}

/** Runs a client that takes its calls as JSON and prints `[status, marker, body]` of each. */
async function run(
  scene: Scene,
  command: readonly string[],
  calls: readonly unknown[],
  options: Parameters<Scene["curl"]>[1] = {},
): Promise<[number, string | null, string][]> {
  const { stdout, stderr } = await scene.world.sandbox.run(
    [...command, JSON.stringify(calls)],
    options,
  );
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

/** Node, or Deno in its place where the machine's Node is too old to have fetch. */
function nodeCommand(): string[] {
  const node = nodePath() ?? "node";
  const { stdout } = new Deno.Command(node, { args: ["--version"] }).outputSync();
  const major = Number(/^v(\d+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? 0);
  return major >= 18 ? [node] : [Deno.execPath(), "run", "-A", "--no-config"];
}
