import assert from "node:assert/strict";
import { Libc } from "../../../../ffi/libc.ts";
import type { ExeProof, RedactedText } from "../../../../src/domain/identity/mod.ts";
import {
  ProcessInspector,
  userSpaceDevice,
} from "../../../../src/platform/linux/process_inspector.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { kernelDevice, recordOf, startShell } from "../../../fakes/linux_process.ts";

/** The library stays loaded, so it is loaded outside of the tests. */
const libc = new Libc();
const PROOF_TTL_MS = 60_000;

function stand(redact = (text: string) => text as RedactedText) {
  const clock = new FakeClock();
  return { clock, inspector: new ProcessInspector(libc, clock, redact) };
}

function doubtOf(exe: ExeProof): string | null {
  return exe.kind === "unverified" ? exe.doubt : null;
}

/** A copy of the shell in a temporary folder, run for the time of `play`. */
async function withCopy(
  name: string,
  play: (path: string, inspect: () => ExeProof) => Promise<void> | void,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/${name}`;
  await Deno.copyFile(await Deno.realPath("/bin/sh"), path);
  await using process = await startShell([], path);
  const { inspector } = stand();
  using _ = inspector;
  try {
    await play(path, () => inspector.inspect(process.record).exe);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("userSpaceDevice() encodes as stat does", () => {
  assert.equal(userSpaceDevice((254n << 20n) | 1n), 0xfe01n);
  assert.equal(userSpaceDevice((8n << 20n) | 0x12345n), 0x12300845n);
  for (const device of [0xfe01n, 0x12300845n, 0x1an, 0xfff00fffn]) {
    assert.equal(userSpaceDevice(kernelDevice(device)), device);
  }
});

Deno.test("inspect() shows the path of an installed program as the system resolves it", async () => {
  const { inspector } = stand();
  using _ = inspector;
  await using process = await startShell(["zero"]);
  const path = await Deno.realPath("/bin/sh");
  assert.deepEqual(inspector.inspect(process.record).exe, { kind: "verified", path });
});

Deno.test("inspect() doubts a copy in a folder that everybody may write", () =>
  withCopy("sh", (path, inspect) => {
    assert.deepEqual(inspect(), {
      kind: "unverified",
      shownPath: path,
      doubt: "file-writable-by-others",
    });
  }));

Deno.test("inspect() doubts a program that was deleted or replaced", async () => {
  await withCopy("sh", async (path, inspect) => {
    await Deno.remove(path);
    assert.equal(doubtOf(inspect()), "path-not-resolvable");
  });
  await withCopy("sh", async (path, inspect) => {
    await Deno.copyFile("/bin/true", `${path}.new`);
    await Deno.rename(`${path}.new`, path);
    assert.equal(doubtOf(inspect()), "path-not-resolvable");
  });
});

Deno.test("a proof stands for a minute, and is made anew then", async () => {
  const { clock, inspector } = stand();
  using _ = inspector;
  await withCopy("sh", async (path) => {
    await using process = await startShell([], path);
    assert.equal(doubtOf(inspector.inspect(process.record).exe), "file-writable-by-others");
    await Deno.remove(path);
    clock.tick(PROOF_TTL_MS);
    assert.equal(doubtOf(inspector.inspect(process.record).exe), "file-writable-by-others");
    clock.tick(1);
    assert.equal(doubtOf(inspector.inspect(process.record).exe), "path-not-resolvable");
  });
});

Deno.test("inspect() redacts the command line, and shows `undefined` where it cannot read it", async () => {
  const seen: string[] = [];
  const { inspector } = stand((text) => (seen.push(text), "hidden" as RedactedText));
  using _ = inspector;
  await using process = await startShell(["zero", "x".repeat(5000)]);
  assert.equal(inspector.inspect(process.record).commandLine, "hidden");
  assert.match(seen[0] ?? "", /^\/bin\/sh -c read -r _ && exec sleep 600 zero$/);
  await process.end();
  inspector.inspect(process.record);
  assert.equal(seen.at(-1), "undefined");
});

Deno.test("inspect() holds one descriptor for each process, and gives them back", async () => {
  const before = openDescriptors();
  const { inspector } = stand();
  await using first = await startShell([]);
  await using second = await startShell([]);
  const started = openDescriptors();
  for (let round = 0; round < 5; round++) {
    inspector.inspect(first.record);
    inspector.inspect(second.record);
  }
  assert.equal(openDescriptors(), started + 2);
  await first.end();
  inspector.inspect(first.record);
  assert.ok(openDescriptors() <= started + 1);
  inspector[Symbol.dispose]();
  await second.end();
  assert.ok(openDescriptors() <= before + 1);
});

Deno.test("check() reopens the process where its reference was dropped", async () => {
  const { inspector } = stand();
  await using process = await startShell([]);
  const inspected = inspector.inspect(process.record);
  inspector[Symbol.dispose]();
  assert.equal(inspected.check(), "same");
  await process.changeProgram();
  assert.equal(inspected.check(), "changed");
  await process.end();
  assert.equal(inspected.check(), "gone");
});

Deno.test("a start time of 0, of a kernel that does not tell it, fits every process with the id", async () => {
  const { inspector } = stand();
  using _ = inspector;
  const record = await recordOf(Deno.pid);
  const process = { ...record.process, startedAtBootNs: 0n };
  assert.notEqual(doubtOf(inspector.inspect({ ...record, process }).exe), "process-gone");
});
