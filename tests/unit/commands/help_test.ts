import assert from "node:assert/strict";
import { helpCommand, usageError } from "../../../src/commands/help.ts";
import { versionCommand } from "../../../src/commands/version.ts";
import { VERSION } from "../../../src/version.ts";
import { MemoryOutput } from "./fakes.ts";

Deno.test("helpCommand() prints every command on stdout and succeeds", () => {
  const output = new MemoryOutput();
  assert.equal(helpCommand(output), 0);
  for (const word of ["--status", "--wait", "--version", "console", "--config", "simulator"]) {
    assert.ok(output.stdout.includes(word), word);
  }
  assert.equal(output.stderr, "");
});

Deno.test("usageError() prints the error and the usage on stderr and returns 2", () => {
  const output = new MemoryOutput();
  assert.equal(usageError("`--x` is no known argument", output), 2);
  assert.match(output.stderr, /^`--x` is no known argument\n\nUsage: /);
  assert.equal(output.stdout, "");
});

Deno.test("versionCommand() prints the version and a line end", () => {
  const output = new MemoryOutput();
  assert.equal(versionCommand(output), 0);
  assert.equal(output.stdout, `${VERSION}\n`);
});
