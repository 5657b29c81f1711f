/**
 * Bytes that no honest client sends, through the redirect. Whatever is made of them: nothing unsigned, bad or unreadable
 * reaches the host, nothing of a caller speaks for the agent there, and every request that the agent looked at is recorded
 * once. The number of cases of the last test is set by FUZZ_REQUESTS, its seed by FUZZ_SEED.
 */
import assert from "node:assert/strict";
import { Mutator } from "./mutator.ts";
import { RawClient, type RawResult, type RawStep, request } from "./raw_client.ts";
import {
  descriptorCount,
  e2eTest,
  IMDS,
  INSTANCE,
  memoryKb,
  NOBODY,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

type Address = readonly [address: string, port: number];
const IMDS_PORT: Address = [IMDS, 80];
const WIRESERVER_PORT: Address = [WIRESERVER, 80];
const HOSTGA_PORT: Address = [WIRESERVER, 32526];
const INJECTED_NAMES = [
  "x-ms-azure-host-claims",
  "X-MS-AZURE-HOST-CLAIMS",
  "X-Ms-Azure-Host-Authorization",
  "x-ms-azure-host-date",
  "x-ms-azure-host-anything",
  "x_ms_azure_host_claims",
  "x-ms-azure-host_authorization",
  "X_MS-azure_HOST-date",
];
const INJECTED = INJECTED_NAMES.map((name) => `${name}: injected { "isRoot": "true"}`);

/** One conversation and what is to come of it. */
interface Case {
  readonly name: string;
  readonly send: string | readonly RawStep[];
  readonly to?: Address;
  /** Statuses of the answers, a list where several are right; `[]` for a close without any. */
  readonly answers: readonly (number | readonly number[])[];
  /** Methods and targets that the host sees, in this order. */
  readonly host?: readonly string[];
  /** Records in the audit log; default: one for each answer. */
  readonly records?: number;
}

/** Targets that differ in the path, because the first request of a kind is recorded and the next ones are counted. */
let paths = 0;
function fresh(): string {
  return `/metadata/instance/p${++paths}?api-version=2021-02-01`;
}

function get(fields: readonly string[] = [], target = fresh(), host?: string): string {
  return request("GET", target, ["Metadata: true", ...fields], "", host);
}

/** A request whose head is written as it stands. */
function raw(requestLine: string, ...lines: readonly string[]): string {
  return [requestLine, ...lines, "", ""].join("\r\n");
}

class Hostile {
  readonly #atFirst: { readonly descriptors: number; readonly rssKb: number };

  constructor(readonly scene: Scene, readonly pid: number) {
    this.#atFirst = { descriptors: descriptorCount(pid), rssKb: memoryKb(pid, "VmRSS") };
  }

  /** Plays cases, each with all that has to hold for it. */
  async play(client: RawClient, isRoot: boolean, cases: readonly Case[]): Promise<void> {
    const failures: string[] = [];
    for (const each of cases) {
      try {
        await this.#playOne(client, isRoot, each);
      } catch (error) {
        failures.push(`${each.name}: ${error instanceof Error ? error.message : error}`);
      }
    }
    assert.deepEqual(failures, []);
  }

  async #playOne(client: RawClient, isRoot: boolean, each: Case): Promise<void> {
    const { to = IMDS_PORT, answers, host = [], records = answers.length } = each;
    const read = { read: Math.max(1, answers.length) };
    const steps = typeof each.send === "string" ? [{ send: each.send }, read] : each.send;
    const { value, host: seen, audit } = await this.scene.observe(() => client.talk(to, steps));
    const statuses = value.answers.map(({ status }) => status);
    const expected = answers.map((answer, index) =>
      typeof answer === "number" || !answer.includes(statuses[index]!) ? answer : statuses[index]
    );
    assert.deepEqual(statuses, expected, `the answers; the end was ${value.end}`);
    if (answers.length === 0) assert.notEqual(value.end, null, "the connection stays open");
    assert.deepEqual(seen.map(({ method, target }) => `${method} ${target}`), host, "at the host");
    for (const line of seen) {
      if (line.signature === "required") assert.equal(line.verdict, "signed");
      assert.equal(line.isRoot, isRoot);
    }
    const decisions = audit.map((line) => `${line["decision"]} ${line["reason"]}`);
    assert.equal(decisions.length, records, `records: ${decisions.join(", ")}`);
  }

  /** The agent is well: it answers soon, holds nothing back, and nothing wrong reached the host so far. */
  async isWell(unsigned = 0): Promise<void> {
    const { scene, pid } = this;
    assert.equal(scene.world.agentPid, pid);
    const startedMs = performance.now();
    assert.equal(
      await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: { uid: 20_003, gid: 20_003 } }),
      200,
    );
    assert.ok(performance.now() - startedMs < 2_000, "the agent answers late");
    for (const [endpoint, counts] of Object.entries(await scene.verdicts())) {
      const { bad, malformed } = counts;
      assert.deepEqual({ endpoint, bad, malformed }, { endpoint, bad: 0, malformed: 0 });
      assert.equal(counts.unsigned, endpoint === "imds" ? unsigned : 0, endpoint);
    }
    assert.deepEqual(await scene.logLines("request failed inside the agent"), []);
    const { descriptors, rssKb } = this.#atFirst;
    await until(
      "descriptors return",
      () => Promise.resolve(descriptorCount(pid) <= descriptors + 16),
      15_000,
    );
    assert.ok(memoryKb(pid, "VmRSS") < rssKb + 96 * 1024, "memory does not return");
  }
}

e2eTest("hostile heads", { label: "heads", limitMs: 120_000 }, async (scene) => {
  const hostile = new Hostile(scene, scene.world.agentPid!);
  const [nobody, root] = await Promise.all([
    RawClient.start(scene, { user: NOBODY }),
    RawClient.start(scene),
  ]);

  await scene.step("absolute-form targets and games with Host", async () => {
    const path = fresh;
    const [same, port, empty, none, two, other] = [path(), path(), path(), path(), path(), path()];
    await hostile.play(nobody, false, [
      {
        name: "another authority than Host",
        send: get([], `http://${WIRESERVER}${path()}`),
        answers: [403],
      },
      {
        name: "an authority that Host begins with",
        send: get([], `http://${IMDS}.example${path()}`),
        answers: [403],
      },
      {
        name: "userinfo in the target",
        send: get([], `http://a@${IMDS}${path()}`),
        answers: [403],
      },
      {
        name: "the authority of Host",
        send: get([], `http://${IMDS}${same}`),
        answers: [404],
        host: [`GET ${same}`],
      },
      { name: "https", send: get([], `https://${IMDS}${path()}`), answers: [403] },
      { name: "asterisk", send: request("OPTIONS", "*", []), answers: [403] },
      { name: "no slash", send: request("GET", "metadata", []), answers: [400] },
      {
        name: "Host of another endpoint",
        send: get([], other, WIRESERVER),
        answers: [404],
        host: [`GET ${other}`],
      },
      {
        name: "Host with a port",
        send: get([], port, `${IMDS}:32526`),
        answers: [404],
        host: [`GET ${port}`],
      },
      { name: "empty Host", send: get([], empty, ""), answers: [404], host: [`GET ${empty}`] },
      {
        name: "no Host",
        send: raw(`GET ${none} HTTP/1.1`, "Metadata: true"),
        answers: [404],
        host: [`GET ${none}`],
      },
      // Where a request goes was decided by connect(); the field is passed on as it is.
      ...[
        { name: "Host with userinfo", host: `a:b@${IMDS}` },
        { name: "Host with a path", host: `${IMDS}/metadata` },
        { name: "Host and a query in it", host: `${IMDS}?a` },
      ].map(({ name, host }) => {
        const target = path();
        return { name, send: get([], target, host), answers: [404], host: [`GET ${target}`] };
      }),
      {
        name: "two Hosts",
        send: get([`Host: ${WIRESERVER}`], two),
        answers: [404],
        host: [`GET ${two}`],
      },
    ]);
    await hostile.isWell();
  });

  await scene.step("methods", async () => {
    const to = WIRESERVER_PORT;
    await hostile.play(root, true, [
      { name: "TRACE", send: request("TRACE", "/t1"), to, answers: [405] },
      { name: "CONNECT", send: request("CONNECT", `${IMDS}:80`), to, answers: [405] },
      { name: "lower case", send: request("get", "/t2"), to, answers: [405] },
      { name: "unknown", send: request("PROPFIND", "/t3"), to, answers: [405] },
      { name: "no token", send: request("G@T", "/t4"), to, answers: [400] },
    ]);
    await hostile.isWell();
  });

  await scene.step("traversal, encoded or not, is refused to root as well", async () => {
    const to = WIRESERVER_PORT;
    const refused = [
      "//a",
      "/a//b",
      "/../a",
      "/a/..",
      "/a/../b",
      "/%2e%2e/a",
      "/%2E./a",
      "/a..b",
      "/.%2e",
      "/a/%2e%2e%2fb",
    ];
    // No two with one canonical form: those would be counted as repetitions.
    const passed = ["/a/%2F%2Fb", "/a%5c%2e/b", "/a/%252e%252e/b", "/a/./c", "/d?x=//&y=/../"];
    await hostile.play(root, true, [
      ...refused.map((target) => ({
        name: target,
        send: request("GET", target),
        to,
        answers: [403],
      })),
      ...passed.map((target) => ({
        name: target,
        send: request("GET", target),
        to,
        answers: [[200, 400, 404, 410]],
        host: [`GET ${target}`],
      })),
    ]);
    await hostile.isWell();
  });

  await scene.step("forbidden bytes in heads", async () => {
    await hostile.play(nobody, false, [
      { name: "UTF-8 in the target", send: get([], "/\xc3\xa9"), answers: [400] },
      { name: "0x80 in the target", send: get([], "/\x80"), answers: [400] },
      { name: "0x80 in a value", send: get(["X-A: \x80"]), answers: [400] },
      { name: "0xFF in a value", send: get(["X-A: \xff\xfe"]), answers: [400] },
      { name: "0x80 in a name", send: get(["X-\x80: a"]), answers: [400] },
      { name: "NUL in a value", send: get(["X-A: a\x00b"]), answers: [400] },
      { name: "NUL in the target", send: get([], "/a\x00b"), answers: [400] },
      { name: "obs-fold", send: get(["X-A: a", " b"]), answers: [400] },
      {
        name: "obs-fold over a forged claim",
        send: get(["X-A: a", "\tx-ms-azure-host-claims: b"]),
        answers: [400],
      },
      {
        name: "blank before the colon",
        send: get(["x-ms-azure-host-claims : b"]),
        answers: [400],
      },
      {
        name: "bare CR in a value",
        send: get(["X-A: a\rx-ms-azure-host-claims: b"]),
        answers: [400],
      },
      {
        name: "angle bracket in the target",
        send: get([], "/<a>"),
        answers: [400],
      },
      { name: "a line without a colon", send: get(["nothing"]), answers: [400] },
      {
        name: "HTTP/2.0 in the line",
        send: raw("GET / HTTP/2.0", `Host: ${IMDS}`),
        answers: [400],
      },
      { name: "HTTP/0.9", send: "GET /\r\n", answers: [400] },
    ]);
    await hostile.isWell();
  });

  await scene.step("large heads", async () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: a`);
    const long = (bytes: number) => `/${"a".repeat(bytes - 1)}`;
    const hundred = fresh();
    await hostile.play(nobody, false, [
      {
        name: "100 fields",
        send: get(many(98), hundred),
        answers: [404],
        host: [`GET ${hundred}`],
      },
      { name: "101 fields", send: get(many(99)), answers: [431] },
      { name: "1 MB in fields", send: get([`X-A: ${"a".repeat(1_000_000)}`]), answers: [431] },
      {
        name: "a target of 65,534 bytes",
        send: get([], long(65_534)),
        answers: [404],
        host: [`GET ${long(65_534)}`],
      },
      { name: "a target of 65,535 bytes", send: get([], long(65_535)), answers: [414] },
    ]);
    const target = long(60_000);
    await hostile.play(nobody, false, [
      {
        name: "a target of 60,000 bytes",
        send: get([], target),
        answers: [404],
        host: [`GET ${target}`],
      },
    ]);
    await hostile.isWell();
  });

  await scene.step("other protocols", async () => {
    const upgrade = fresh();
    await hostile.play(nobody, false, [
      {
        name: "Upgrade: h2c",
        send: get([
          "Connection: Upgrade, HTTP2-Settings",
          "Upgrade: h2c",
          "HTTP2-Settings: AAMAAABk",
        ], upgrade),
        answers: [404],
        host: [`GET ${upgrade}`],
      },
    ]);
    // HTTP/2 without negotiation: SETTINGS, then GET / with an authority that is none of ours.
    const h2 = await scene.observe(() =>
      nobody.talk(IMDS_PORT, [
        { send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" },
        { send: h2Get(IMDS) },
        { pauseMs: 300 },
        { fin: true },
        { readAll: true },
      ])
    );
    assert.deepEqual(h2.host, []);
    assert.deepEqual(h2.audit.map((line) => line["reason"]), ["bad-request"]);
    const tls = await scene.observe(() =>
      nobody.talk(IMDS_PORT, [{
        send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00".repeat(500),
      }, { read: 1 }])
    );
    assert.deepEqual(tls.host, []);
    assert.equal(tls.audit.length, 1);
    await hostile.isWell();
  });
  await Promise.all([nobody.end(), root.end()]);
});

e2eTest("nobody speaks for the agent: x-ms-azure-host-* of callers never arrives", {
  label: "forged",
}, async (scene) => {
  const hostile = new Hostile(scene, scene.world.agentPid!);
  const [nobody, root] = await Promise.all([
    RawClient.start(scene, { user: NOBODY }),
    RawClient.start(scene),
  ]);
  /** What the host saw of one request with all spellings, and with each alone. */
  const inject = async (
    client: RawClient,
    to: Address,
    method: string,
    target: string,
    isRoot: boolean,
    verdict: string,
  ) => {
    for (const fields of [INJECTED, ...INJECTED.map((each) => [each])]) {
      const text = request(method, target, [
        "Metadata: true",
        ...fields,
        ...(method === "GET" ? [] : ["Content-Length: 1"]),
      ], method === "GET" ? "" : "x");
      const { host, value } = await scene.observe(() => client.ask(to, text));
      const what = `${method} ${target} with ${fields.join()}`;
      assert.equal(value.answers[0]?.status, 200, what);
      const [line] = host;
      assert.deepEqual([host.length, line?.verdict, line?.isRoot], [1, verdict, isRoot], what);
      assert.equal(JSON.stringify(line).includes("injected"), false, what);
      const agents = line!.headers.map(([name]) => name).filter((name) => /host[-_]/.test(name));
      assert.deepEqual(agents, [
        "x-ms-azure-host-claims",
        "x-ms-azure-host-date",
        ...(verdict === "signed" ? ["x-ms-azure-host-authorization"] : []),
      ], what);
    }
  };
  await scene.step("signed", async () => {
    await inject(nobody, IMDS_PORT, "GET", INSTANCE, false, "signed");
    await inject(root, WIRESERVER_PORT, "POST", "/machine?comp=telemetrydata", true, "signed");
  });
  await scene.step("exempt", async () => {
    await inject(root, HOSTGA_PORT, "PUT", "/vmAgentLog", true, "unsigned");
    await inject(root, WIRESERVER_PORT, "POST", "/machine/?comp=telemetrydata", true, "unsigned");
  });
  await scene.step("Audit", async () => {
    await scene.setModes({ wireserver: "audit", imds: "audit" });
    await until(
      "Audit is in force",
      async () =>
        (await nobody.ask(WIRESERVER_PORT, request("GET", VERSIONS))).answers[0]
          ?.status === 200,
    );
    await inject(nobody, WIRESERVER_PORT, "GET", VERSIONS, false, "signed");
    await inject(nobody, IMDS_PORT, "GET", INSTANCE, false, "signed");
  });
  await hostile.isWell();
  await Promise.all([nobody.end(), root.end()]);
});

e2eTest("nobody speaks for the agent while it has no key either", {
  label: "keyless",
}, async (scene) => {
  const { world } = scene;
  await scene.setModes({ wireserver: "audit", imds: "audit" });
  const nobody = await RawClient.start(scene, { user: NOBODY });
  await until(
    "Audit is in force",
    async () =>
      (await nobody.ask(WIRESERVER_PORT, request("GET", VERSIONS))).answers[0]?.status === 200,
  );
  // The next process finds callers redirected before it has a key, and gets none.
  await world.killAgent();
  await Deno.remove(world.keyFolder, { recursive: true });
  await scene.faults(
    { kind: "slow", path: "/secure-channel/status", ms: 2_000, count: 1 },
    { kind: "status", path: "/secure-channel/key", status: 500 },
  );
  await world.spawnAgent();
  const text = request("GET", INSTANCE, ["Metadata: true", ...INJECTED]);
  let result: RawResult | null = null;
  const seen = await scene.observe(() =>
    until("somebody is connected before the host was heard", async () => {
      // Connects, and asks when the host has been heard.
      result = await nobody.talk(IMDS_PORT, [{ pauseMs: 4_000 }, { send: text }, { read: 1 }]);
      return result.connectError === null;
    })
  );

  // Audit breaks nothing: the request goes on, unsigned, and without the caller's word about itself.
  assert.equal(result!.answers[0]?.status, 200);
  assert.deepEqual(
    seen.host.map(({ verdict, isRoot }) => [verdict, isRoot]),
    [["unsigned", false]],
  );
  assert.equal(JSON.stringify(seen.host).includes("injected"), false);
  const records = seen.audit.filter((line) => !("notice" in line));
  assert.deepEqual(records.map((line) => line["signed"]), [false]);
  await nobody.end();
});

e2eTest("hostile bodies: the host sees what was signed, and no second request in it", {
  label: "bodies",
  limitMs: 120_000,
}, async (scene) => {
  const hostile = new Hostile(scene, scene.world.agentPid!);
  const root = await RawClient.start(scene);
  const to = WIRESERVER_PORT;
  let number = 0;
  const target = () => `/b${++number}`;
  const post = (path: string, fields: readonly string[], body: string) =>
    request("POST", path, fields, body, WIRESERVER);
  const hidden = raw("GET /hidden HTTP/1.1", `Host: ${WIRESERVER}`);
  const chunkedHidden = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
  const refused = (name: string, fields: readonly string[], body: string): Case => ({
    name,
    send: post(target(), fields, body),
    to,
    answers: [400],
  });

  await scene.step("ambiguous lengths", async () => {
    await hostile.play(root, true, [
      refused(
        "length and chunked",
        [`Content-Length: ${hidden.length}`, "Transfer-Encoding: chunked"],
        "0\r\n\r\n" + hidden,
      ),
      refused("two lengths", ["Content-Length: 0", `Content-Length: ${hidden.length}`], hidden),
      refused("a list of lengths", [`Content-Length: 0, ${hidden.length}`], hidden),
      refused("a signed length", ["Content-Length: +1"], "x"),
      refused("a negative length", ["Content-Length: -1"], "x"),
      refused("a hexadecimal length", ["Content-Length: 0x10"], "x".repeat(16)),
      refused("a length with a blank", ["Content-Length: 1 0"], "x".repeat(10)),
      refused("a huge length", ["Content-Length: 18446744073709551617"], "x"),
      refused("gzip", ["Transfer-Encoding: gzip, chunked"], chunkedHidden),
    ]);
    for (
      const coding of ["chunked, identity", "identity", "xchunked", "chunked;a", "chunked, chunked"]
    ) {
      const seen = await scene.observe(() =>
        root.ask(to, post(target(), [`Transfer-Encoding: ${coding}`], chunkedHidden))
      );
      assert.deepEqual(seen.host.map(({ target }) => target), [], coding);
      assert.deepEqual(seen.value.answers.map(({ status }) => status), [400], coding);
    }
    await hostile.isWell();
  });

  await scene.step("chunks", async () => {
    const [extended, split, hiding, upper] = [target(), target(), target(), target()];
    const chunked = ["Transfer-Encoding: chunked"];
    await hostile.play(root, true, [
      {
        name: "extensions",
        send: post(extended, chunked, '3;a="\\r"\r\nabc\r\n0;b\r\n\r\n'),
        to,
        answers: [200],
        host: [`POST ${extended}`],
      },
      {
        name: "a request within a chunk",
        send: post(hiding, chunked, chunkedHidden),
        to,
        answers: [200],
        host: [`POST ${hiding}`],
      },
      {
        name: "trailers",
        send: post(split, chunked, "3\r\nabc\r\n0\r\nx-ms-azure-host-claims: a\r\n\r\n"),
        to,
        answers: [200],
        host: [`POST ${split}`],
      },
      {
        name: "CHUNKED",
        send: post(upper, ["Transfer-Encoding: CHUNKED"], "3\r\nabc\r\n0\r\n\r\n"),
        to,
        answers: [200],
        host: [`POST ${upper}`],
      },
    ]);
    for (
      const body of [
        "g\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3 \r\nab\r\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
      ]
    ) {
      const path = target();
      const seen = await scene.observe(() =>
        root.talk(
          to,
          [{ send: post(path, chunked, body) }, { fin: true }, { readAll: true }],
          3_000,
        )
      );
      assert.deepEqual(seen.host, [], JSON.stringify(body));
      assert.ok(seen.audit.length <= 1, JSON.stringify(body));
    }
    await hostile.isWell();
  });

  await scene.step("a second request within a body, and behind one", async () => {
    const [inside, before, behind, within] = [target(), target(), target(), target()];
    await hostile.play(root, true, [
      {
        name: "inside",
        send: post(inside, [`Content-Length: ${hidden.length}`], hidden),
        to,
        answers: [200],
        host: [`POST ${inside}`],
      },
      {
        name: "behind",
        send: post(before, ["Content-Length: 3"], "abc") +
          request("GET", behind, [], "", WIRESERVER),
        to,
        answers: [200, [200, 404]],
        host: [`POST ${before}`, `GET ${behind}`],
      },
      {
        name: "a body with GET",
        send: request("GET", within, [`Content-Length: ${hidden.length}`], hidden, WIRESERVER),
        to,
        answers: [200],
        host: [`GET ${within}`],
      },
      {
        name: "behind a refused one",
        send: [
          { send: post("/a/../b", [`Content-Length: ${hidden.length}`], hidden) },
          { read: 1 },
          { readAll: true },
        ],
        to,
        answers: [403],
      },
    ]);
    await hostile.isWell();
  });

  await scene.step("100 requests at once, in order", async () => {
    const targets = Array.from({ length: 100 }, () => target());
    const text = targets.map((each) => request("GET", each, [], "", WIRESERVER)).join("");
    const seen = await scene.observe(() => root.ask(to, text, 100));
    assert.equal(seen.value.answers.length, 100);
    assert.deepEqual(seen.host.map((line) => line.target), targets);
    assert.ok(seen.host.every(({ verdict, isRoot }) => verdict === "signed" && isRoot));
    assert.deepEqual(seen.audit.map((line) => line["url"]), targets);
  });

  await scene.step("Expect, refused", async () => {
    const seen = await scene.observe(() =>
      root.ask(to, post("/a/../e", ["Expect: 100-continue", "Content-Length: 10"], ""))
    );
    assert.deepEqual([seen.value.answers[0]?.status, seen.host], [403, []]);
    const other = await scene.observe(() =>
      root.ask(to, post(target(), ["Expect: 200-maybe", "Content-Length: 1"], "x"))
    );
    for (const { verdict } of other.host) assert.equal(verdict, "signed");
    await hostile.isWell();
  });

  await scene.step("slow, cut off and half-closed", async () => {
    const slow = target();
    await hostile.play(root, true, [
      {
        name: "a slow upload in chunks",
        send: [
          { send: post(slow, ["Transfer-Encoding: chunked"], "") },
          { sendEvery: "1\r\nx\r\n", times: 20, pauseMs: 50 },
          { send: "0\r\n\r\n" },
          { read: 1 },
        ],
        to,
        answers: [200],
        host: [`POST ${slow}`],
      },
      {
        name: "cut off within the body",
        send: [{ send: post(target(), ["Content-Length: 100"], "abc") }, { fin: true }, {
          read: 1,
        }],
        to,
        answers: [400],
      },
    ]);
    const upload = request(
      "PUT",
      "/vmAgentLog",
      ["Content-Length: 50000000"],
      "x".repeat(200_000),
      WIRESERVER,
    );
    for (let round = 0; round < 50; round++) {
      // In the middle of the head, in the middle of the body, and of the answer.
      for (
        const text of [hidden.slice(0, 20), post("/cut", ["Content-Length: 100"], "abc"), hidden]
      ) {
        await root.talk(to, [{ send: text }, { reset: true }]);
      }
      await root.talk(HOSTGA_PORT, [{ send: upload }, { reset: true }]);
    }
    await hostile.isWell();
  });

  await scene.step("a client that ends its side is answered", async () => {
    const half = target();
    await hostile.play(root, true, [{
      name: "half-closed",
      send: [{ send: request("GET", half, [], "", WIRESERVER) }, { fin: true }, { read: 1 }],
      to,
      answers: [200],
      host: [`GET ${half}`],
    }]);
  });
  await root.end();
});

const FUZZ_REQUESTS = Number(Deno.env.get("FUZZ_REQUESTS") ?? 2_000);
const FUZZ_SEED = Number(Deno.env.get("FUZZ_SEED") ?? Math.trunc(Math.random() * 2 ** 31));

/** What is not answered by then was no whole request. */
const ANSWER_LIMIT_MS = 250;

e2eTest(`${FUZZ_REQUESTS} mutated requests, seed ${FUZZ_SEED}`, {
  label: "fuzz",
  limitMs: 60_000 + FUZZ_REQUESTS * 100,
  simulatorArgs: ["--journal", "20000"],
}, async (scene) => {
  const hostile = new Hostile(scene, scene.world.agentPid!);
  const mutator = new Mutator(FUZZ_SEED);
  const clients = await Promise.all(
    Array.from(
      { length: 8 },
      (_, index) => RawClient.start(scene, index % 2 === 0 ? {} : { user: NOBODY }),
    ),
  );
  const to = [IMDS_PORT, WIRESERVER_PORT, HOSTGA_PORT];
  const requests = Array.from({ length: FUZZ_REQUESTS }, () => mutator.next());
  const since = await scene.world.simulator.lastEntry();
  const statuses: Record<string, number> = {};
  let answered = 0;
  await Promise.all(clients.map(async (client, index) => {
    for (let number = index; number < requests.length; number += clients.length) {
      const { answers, connectError } = await client.talk(
        to[number % to.length]!,
        [{ send: requests[number]! }, { read: 1 }],
        ANSWER_LIMIT_MS,
      );
      assert.equal(connectError, null);
      answered += answers.length;
      const status = answers[0]?.status ?? "none";
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  }));
  await hostile.isWell();
  const host = await scene.world.simulator.requestsSince(since);
  for (const line of host) {
    if (line.signature === "required") assert.equal(line.verdict, "signed", line.target);
    for (const [name, value] of line.headers) {
      assert.ok(!/^x[-_]ms[-_]azure[-_]host[-_]/.test(name) || !value.includes("forged"), name);
    }
    // Only root gets through to these.
    if (line.endpoint !== "imds") assert.equal(line.isRoot, true);
  }
  await Promise.all(clients.map((client) => client.end()));
  assert.equal(await scene.world.stopAgent(), 0);
  // Records and the counts of what was not written one by one are all requests.
  let recorded = 0;
  let forwarded = 0;
  for (const line of await scene.world.audit()) {
    const count = "summary" in line || "notice" in line ? Number(line["count"] ?? 0) : 1;
    recorded += count;
    if (line["decision"] === "allow" && line["endpoint"] !== null) forwarded += count;
  }
  console.log(
    JSON.stringify({ seed: FUZZ_SEED, statuses, answered, recorded, host: host.length }),
  );
  assert.equal(forwarded, host.length);
  assert.ok(recorded >= answered, `${answered} answers, ${recorded} records`);
  assert.ok(host.length > FUZZ_REQUESTS / 20, "hardly anything got through");
});

/** A HEADERS frame of HTTP/2: `:method GET`, `:scheme http`, `:path /`, and the authority. */
function h2Get(authority: string): string {
  const block = "\x82\x86\x84\x41" + String.fromCharCode(authority.length) + authority;
  return "\x00\x00" + String.fromCharCode(block.length) + "\x01\x05\x00\x00\x00\x01" + block;
}
