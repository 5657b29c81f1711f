import assert from "node:assert/strict";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

async function run(...args: string[]) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", MAIN, ...args],
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
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
