import assert from "node:assert/strict";
import { doctorCommand, parseDoctorArgs } from "../../../src/commands/doctor.ts";
import { FakeProcess, MemoryOutput, withConfig } from "./fakes.ts";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const output = new MemoryOutput();
  const code = await doctorCommand(args, output, new FakeProcess());
  return { code, out: output.stdout, err: output.stderr };
}

/** The libraries stay loaded. */
const LOADED = { sanitizeResources: false };

Deno.test("parseDoctorArgs() reads both forms", () => {
  assert.deepEqual(parseDoctorArgs([]), { kind: "check", configFile: null, json: false });
  assert.deepEqual(parseDoctorArgs(["--json", "--config", "/a"]), {
    kind: "check",
    configFile: "/a",
    json: true,
  });
  assert.deepEqual(parseDoctorArgs(["bundle"]), {
    kind: "bundle",
    configFile: null,
    output: null,
    logBytes: 2 * 1024 * 1024,
  });
  assert.deepEqual(parseDoctorArgs(["bundle", "--output=/x", "--log-mb", "64"]), {
    kind: "bundle",
    configFile: null,
    output: "/x",
    logBytes: 64 * 1024 * 1024,
  });
  for (const help of ["--help", "-h", "help"]) assert.equal(parseDoctorArgs([help]).kind, "help");
});

Deno.test("parseDoctorArgs() refuses what does not go together", () => {
  for (
    const args of [
      ["bandage"],
      ["bundle", "twice"],
      ["--output", "/x"],
      ["--log-mb", "1"],
      ["bundle", "--json"],
      ["bundle", "--log-mb", "0"],
      ["bundle", "--log-mb", "65"],
      ["bundle", "--log-mb", "many"],
      ["--no-such"],
    ]
  ) assert.equal(parseDoctorArgs(args).kind, "usage", args.join(" "));
});

Deno.test("doctorCommand() prints help, and says what is wrong with the command line", async () => {
  const help = await run("--help");
  assert.equal(help.code, 0);
  assert.match(help.out, /^Usage: azure-proxy-agent doctor/);
  const wrong = await run("bandage");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /not `bandage`[^]*Usage:/);
});

Deno.test("doctorCommand() fails where no agent is, in text and as JSON", LOADED, async () => {
  await withConfig({ bpfFolder: "/nowhere/bpf" }, async (path) => {
    const text = await run("--config", path);
    assert.equal(text.code, 2);
    assert.match(text.out, /^FAIL {2}status document \(status\)/m);
    const json = await run("--config", path, "--json");
    assert.equal(json.code, 2);
    const report = JSON.parse(json.out);
    assert.equal(report.outcome, "FAIL");
    const config = report.checks.find((each: { check: string }) => each.check === "config");
    assert.equal(config.outcome, "OK");
  });
});

Deno.test(
  "doctorCommand() looks at the usual places where the configuration cannot be used",
  LOADED,
  async () => {
    const { code, out } = await run("--config", "/no/such.json");
    assert.equal(code, 2);
    assert.match(out, /^FAIL {2}configuration \(config\): .*\/no\/such\.json/m);
    assert.match(out, /\/var\/log\/azure-proxy-agent/);
  },
);

Deno.test(
  "doctorCommand() writes a bundle for its owner alone, and over nothing",
  LOADED,
  async () => {
    await withConfig({ bpfFolder: "/nowhere/bpf" }, async (path) => {
      const archive = `${path}.tar.gz`;
      const written = await run("bundle", "--config", path, "--output", archive);
      assert.equal(written.code, 0, written.err);
      assert.match(written.out, /^.*\.tar\.gz: \d+ bytes, readable by its owner alone$/m);
      assert.match(written.out, /^ +\d+ {2}doctor\.json$/m);
      assert.equal((await Deno.stat(archive)).mode! & 0o777, 0o600);
      const again = await run("bundle", "--config", path, "--output", archive);
      assert.equal(again.code, 2);
      assert.match(again.err, /cannot be written: .*; name another with --output/);
    });
  },
);
