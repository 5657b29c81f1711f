import assert from "node:assert/strict";
import { helpCommand, usageError } from "../../../src/commands/help.ts";
import { versionCommand } from "../../../src/commands/version.ts";
import { VERSION } from "../../../src/version.ts";
import { MemoryOutput } from "./fakes.ts";

Deno.test("helpCommand() prints every command on stdout and succeeds", () => {
  const output = new MemoryOutput();
  assert.equal(helpCommand(output), 0);
  for (
    const word of ["--status", "--wait", "--json", "--version", "console", "--config", "simulator"]
  ) {
    assert.ok(output.stdout.includes(word), word);
  }
  assert.equal(output.stderr, "");
});

Deno.test("usageError() prints the error and the usage on stderr and returns the code", () => {
  const output = new MemoryOutput();
  assert.equal(usageError({ error: "`--x` is no known argument", exitCode: 2 }, output), 2);
  assert.equal(usageError({ error: "x", exitCode: 64 }, new MemoryOutput()), 64);
  assert.match(output.stderr, /^`--x` is no known argument\n\nUsage: /);
  assert.equal(output.stdout, "");
});

Deno.test("versionCommand() prints the version and a line end", () => {
  const output = new MemoryOutput();
  assert.equal(versionCommand(output), 0);
  assert.equal(output.stdout, `${VERSION}\n`);
});
