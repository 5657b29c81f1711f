import assert from "node:assert/strict";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

async function run(...args: string[]) {
  return await runWith("", ...args);
}

async function runWith(stdin: string, ...args: string[]) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", MAIN, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  const writing = writer.write(new TextEncoder().encode(stdin)).then(() => writer.close());
  const { code, stdout, stderr } = await child.output();
  // A program that reads nothing may be gone before everything is written.
  await writing.catch(() => {});
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("main.ts prints the version alone and exits with 0", async () => {
  const { code, stdout, stderr } = await run("--version");
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(stderr, "");
});

Deno.test("main.ts prints help on stdout and exits with 0", async () => {
  const { code, stdout } = await run("--help");
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: /);
});

Deno.test("main.ts answers wrong usage on stderr and exits with 2", async () => {
  const { code, stdout, stderr } = await run("--wait", "5");
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /`--wait` goes together with `--status`/);
});

Deno.test("main.ts refuses a configuration that does not exist and exits with 2", async () => {
  const { code, stderr } = await run("console", "--config", "/no/such.json");
  assert.equal(code, 2);
  assert.match(stderr, /`\/no\/such.json` cannot be read/);
});

Deno.test("main.ts hands the simulator its own arguments", async () => {
  const { code, stdout } = await run("simulator", "--help");
  assert.equal(code, 0);
  assert.match(stdout, /simulator \[options\]/);
});

Deno.test("main.ts policy ends with 0 for allow, 1 for deny and 2 for what cannot be used", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const policy = `${folder}/item.json`;
    await Deno.writeTextFile(policy, JSON.stringify(ITEM));
    const explain = [
      "policy",
      "explain",
      "--policy",
      policy,
      "--caller",
      "user=alice",
      "--request",
    ];
    const allowed = await run(...explain, "GET http://169.254.169.254/a");
    assert.deepEqual([allowed.code, allowed.stderr], [0, ""]);
    assert.match(allowed.stdout, /^ALLOW \(rule\)/);
    const denied = await run(...explain, "GET http://169.254.169.254/b", "--json");
    assert.equal(denied.code, 1);
    assert.equal(JSON.parse(denied.stdout).reason, "default-denied");
    assert.equal((await run(...explain, "GET http://example.com/")).code, 2);
    assert.equal((await run("policy", "check", policy)).code, 0);
    assert.equal((await run("policy", "nonsense")).code, 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("main.ts policy explain --batch answers a stream of questions line by line", async () => {
  const question = { item: ITEM, endpoint: "imds", method: "GET", target: "/a" };
  const line = JSON.stringify({ ...question, caller: { userName: "alice" } });
  const { code, stdout, stderr } = await runWith(
    `${`${line}\n`.repeat(20_000)}{\n${line}`,
    "policy",
    "explain",
    "--batch",
  );
  assert.deepEqual([code, stderr], [0, ""]);
  const answers = stdout.split("\n");
  assert.equal(answers.length, 20_003);
  const allow = '{"compat":"allow","canonical":"allow","verdict":"allow","reason":"rule",' +
    '"privilege":"p","identity":"i"}';
  assert.equal(answers[0], allow);
  assert.equal(answers[20_000], '{"error":"not JSON at offset 1"}');
  assert.equal(answers[20_001], allow);
});

const ITEM = {
  defaultAccess: "deny",
  mode: "enforce",
  id: "x",
  rules: {
    privileges: [{ name: "p", path: "/a" }],
    roles: [{ name: "r", privileges: ["p"] }],
    identities: [{ name: "i", userName: "alice" }],
    roleAssignments: [{ role: "r", identities: ["i"] }],
  },
};
