import assert from "node:assert/strict";
import { configCommand } from "../../../src/commands/config.ts";
import { MemoryOutput, withConfig } from "./fakes.ts";

async function run(...args: string[]) {
  const output = new MemoryOutput();
  const code = await configCommand(args, output, {
    executable: "/nowhere/azure-proxy-agent",
    environment: (name) => name === "BASE" ? "/base" : undefined,
  });
  return { code, out: output.stdout, err: output.stderr };
}

Deno.test("configCommand() check says of a right file that it is", () =>
  withConfig({}, async (file) => {
    assert.deepEqual(await run("check", file), { code: 0, out: `${file}: right\n`, err: "" });
    const { code, out } = await run("check", "--json", file);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), { verdict: "ok", file, errors: [], warnings: [] });
  }));

Deno.test("configCommand() check ends with 1 for what is odd, and names the nearest key", () =>
  withConfig({ fileLogLevle: "Info" }, async (file) => {
    const { code, out, err } = await run("check", file);
    assert.equal(code, 1);
    assert.equal(err, "");
    assert.equal(
      out,
      `${file}: can be used, and is odd\n` +
        "odd: `fileLogLevle` is no known key and changes nothing; did you mean `fileLogLevel`?\n",
    );
    assert.equal(JSON.parse((await run("check", file, "--json")).out).verdict, "odd");
  }));

Deno.test("configCommand() check ends with 1 for what is wrong, and tells all of it", () =>
  withConfig({ logFolder: 1, cgroupRoot: 2, cgroupRot: "/c" }, async (file) => {
    const { code, out, err } = await run("check", file);
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /`logFolder` is 1, must be the path of a folder/);
    assert.match(err, /`cgroupRoot` is 2, must be/);
    assert.match(err, /^odd: `cgroupRot` is no known key .* did you mean `cgroupRoot`\?$/m);
    const told = JSON.parse((await run("check", file, "--json")).out);
    assert.equal(told.verdict, "wrong");
    assert.equal(told.errors.length, 2);
    assert.equal(told.warnings.length, 1);
    assert.equal((await run("show", file)).code, 1);
  }));

Deno.test("configCommand() ends with 2 for a file that cannot be read, or none at all", async () => {
  const named = await run("check", "/nowhere/a.json");
  assert.equal(named.code, 2);
  assert.match(named.err, /^The configuration `\/nowhere\/a.json` cannot be read: ENOENT/);
  const { code, out } = await run("show", "--json", "/nowhere/a.json");
  assert.equal(code, 2);
  assert.equal(JSON.parse(out).verdict, "unreadable");
});

Deno.test("configCommand() show tells each value and where it comes from", () =>
  withConfig({ eventFolder: "%BASE%/e", fileLogLevel: "Trace", odd: 1 }, async (file) => {
    const { code, out, err } = await run("show", file);
    assert.equal(code, 0);
    assert.match(out, /^# \/.*\/proxy-agent.json\n/);
    assert.match(out, /^eventFolder {21}environment "\/base\/e"$/m);
    assert.match(out, /^fileLogLevel {20}file {8}"trace"$/m);
    assert.match(out, /^pollKeyStatusIntervalInSeconds {2}default {5}15$/m);
    assert.match(out, /^ebpfFileFullPath {16}default {5}not set$/m);
    assert.match(err, /^odd: `odd` is no known key/);
    const told = JSON.parse((await run("show", file, "--json")).out);
    assert.equal(told.file, file);
    assert.deepEqual(told.values[0], { key: "logFolder", value: "/l", origin: "file" });
    assert.equal(told.warnings.length, 1);
  }));

Deno.test("configCommand() show tells of the service's own file what the service makes of it", () =>
  withConfig({}, async (file) => {
    const statusFolder = async (executable: string, args: string[]) => {
      const output = new MemoryOutput();
      const environment = () => undefined;
      await configCommand(["show", "--json", ...args], output, { executable, environment });
      const { values } = JSON.parse(output.stdout) as { values: { key: string; value: unknown }[] };
      return values.find(({ key }) => key === "statusFolder")?.value;
    };
    const beside = file.replace("proxy-agent.json", "azure-proxy-agent");
    assert.equal(await statusFolder(beside, []), "/var/log/azure-proxy-agent");
    assert.equal(await statusFolder(beside, [file]), "/var/log/azure-proxy-agent");
    assert.equal(await statusFolder("/nowhere/azure-proxy-agent", [file]), "/l");
  }));

Deno.test("configCommand() schema prints the schema that values are checked by", async () => {
  const { code, out } = await run("schema");
  assert.equal(code, 0);
  const schema = JSON.parse(out);
  assert.deepEqual(schema.required, ["logFolder", "eventFolder", "latchKeyFolder"]);
  assert.equal(schema.properties.maxConnectionsPerUser.default, 4096);
});

Deno.test("configCommand() explains itself, and refuses what it does not know with 2", async () => {
  for (const word of ["help", "--help", "-h"]) {
    const { code, out } = await run(word);
    assert.equal(code, 0);
    assert.match(out, /^Usage: azure-proxy-agent config check/);
  }
  const wrong = [[], ["explode"], ["check", "a", "b"], ["check", "--fast"], ["schema", "a"]];
  for (const args of wrong) {
    const { code, out, err } = await run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(out, "");
    assert.match(err, /Usage: azure-proxy-agent config check/);
  }
});
