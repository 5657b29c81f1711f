import assert from "node:assert/strict";
import { parseSimulatorArgs, simulatorCommand } from "../../../src/commands/simulator.ts";
import { DEFAULT_ADDRESSES } from "../../../src/simulator/mod.ts";
import { MemoryOutput } from "./fakes.ts";

const LOCAL = [
  "--bind-wireserver",
  "127.0.0.1:0",
  "--bind-hostga",
  "127.0.0.1:0",
  "--bind-imds",
  "127.0.0.1:0",
  "--control",
  "off",
];

async function run(args: readonly string[], signal = AbortSignal.abort()) {
  const output = new MemoryOutput();
  const code = await simulatorCommand(args, output, signal);
  return { code, out: output.stdout, err: output.stderr };
}

Deno.test("parseSimulatorArgs() takes the platform's addresses by default", () => {
  assert.deepEqual(parseSimulatorArgs([]), {
    kind: "run",
    addresses: DEFAULT_ADDRESSES,
    options: {},
    policyFile: null,
  });
});

Deno.test("parseSimulatorArgs() takes addresses with and without a port", () => {
  const request = parseSimulatorArgs([
    "--bind-wireserver=10.0.0.1",
    "--bind-hostga",
    "10.0.0.1:99",
    "--bind-imds",
    "10.0.0.2:8080",
    "--control",
    "/run/control",
    "--policy",
    "p.json",
    "--journal",
    "5",
    "--key-grace",
    "0",
    "--max-skew",
    "7",
  ]);
  assert.deepEqual(request, {
    kind: "run",
    addresses: {
      wireserver: { address: "10.0.0.1", port: 80 },
      hostga: { address: "10.0.0.1", port: 99 },
      imds: { address: "10.0.0.2", port: 8080 },
      control: { unixPath: "/run/control" },
    },
    options: { journalEntries: 5, previousKeyGraceMs: 0, maxSkewMs: 7 },
    policyFile: "p.json",
  });
});

Deno.test("parseSimulatorArgs() refuses what it does not understand", () => {
  for (
    const args of [
      ["--unknown"],
      ["stray"],
      ["--bind-imds", "localhost"],
      ["--bind-imds", "1.2.3.400"],
      ["--bind-imds", "1.2.3.4:70000"],
      ["--control", "sock"],
      ["--journal", "0"],
      ["--journal", "many"],
      ["--max-skew", "-1"],
      ["--policy"],
    ]
  ) {
    assert.equal(parseSimulatorArgs(args).kind, "usage", args.join(" "));
  }
});

Deno.test("simulatorCommand() explains itself", async () => {
  const help = await run(["--help"]);
  assert.deepEqual([help.code, help.err], [0, ""]);
  assert.match(help.out, /--bind-wireserver/);
  const wrong = await run(["--nonsense"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--nonsense[^]*Usage:/);
});

Deno.test("simulatorCommand() says where it listens and runs until its signal fires", async () => {
  const stop = new AbortController();
  const running = run(LOCAL, stop.signal);
  await new Promise((resolve) => setTimeout(resolve, 50));
  stop.abort();
  const { code, out, err } = await running;
  assert.deepEqual([code, err], [0, ""]);
  assert.match(
    out,
    /^WireServer {4}127\.0\.0\.1:\d+\nHostGAPlugin {2}127\.0\.0\.1:\d+\nIMDS {10}127\.0\.0\.1:\d+\ncontrol {7}off\n$/,
  );
});

Deno.test("simulatorCommand() shows where control listens", async () => {
  assert.match(
    (await run([...LOCAL, "--control", "127.0.0.1:0"])).out,
    /control {7}127\.0\.0\.1:\d+/,
  );
  const path = `${await Deno.makeTempDir()}/c`;
  assert.ok((await run([...LOCAL, "--control", path])).out.includes(`control       ${path}\n`));
});

Deno.test("simulatorCommand() is 1 and names the address that it cannot have", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const at = `127.0.0.1:${taken.addr.port}`;
  const { code, err } = await run([...LOCAL, "--bind-imds", at]);
  taken.close();
  assert.equal(code, 1);
  assert.ok(err.includes(at) && err.includes("in use"), err);
});

Deno.test("simulatorCommand() starts with the policy of a file, or says what is wrong with it", async () => {
  const path = await Deno.makeTempFile();
  const withPolicy = async (text: string) => {
    await Deno.writeTextFile(path, text);
    return await run([...LOCAL, "--policy", path]);
  };
  assert.equal((await withPolicy('{"version":"1.0","secureChannelState":"Disabled"}')).code, 0);
  const cases: [string, RegExp][] = [["{", /JSON/], ["{}", /`version`/]];
  for (const [text, reason] of cases) {
    const { code, err } = await withPolicy(text);
    assert.equal(code, 1);
    assert.match(err, reason);
    assert.ok(err.includes(path));
  }
  await Deno.remove(path);
  const missing = await run([...LOCAL, "--policy", path]);
  assert.deepEqual([missing.code, missing.err.includes(path)], [1, true]);
});
