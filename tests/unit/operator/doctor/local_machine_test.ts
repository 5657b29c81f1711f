import assert from "node:assert/strict";
import { LocalMachine } from "../../../../src/operator/doctor/mod.ts";
import { NOW_MS } from "../../../fakes/fake_machine.ts";

async function inFolder(play: (folder: string, machine: LocalMachine) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await play(folder, new LocalMachine({ missing: "none here" }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("facts() tells files, folders and links apart, and null for nothing", async () => {
  await inFolder(async (folder, machine) => {
    await Deno.writeTextFile(`${folder}/file`, "seven!!", { mode: 0o640 });
    await Deno.chmod(`${folder}/file`, 0o640);
    await Deno.symlink("file", `${folder}/link`);
    const file = await machine.facts(`${folder}/file`);
    assert.equal(file?.kind, "file");
    assert.equal(file?.mode, 0o640);
    assert.equal(file?.sizeBytes, 7);
    assert.equal(file?.uid, Deno.uid());
    assert.equal((await machine.facts(folder))?.kind, "folder");
    assert.equal((await machine.facts(`${folder}/link`))?.kind, "link");
    assert.equal((await machine.facts("/dev/null"))?.kind, "other");
    assert.equal(await machine.facts(`${folder}/none`), null);
    assert.equal(await machine.facts(`${folder}/file/below`), null);
    assert.equal(await machine.linkTarget(`${folder}/link`), "file");
    assert.equal(await machine.linkTarget(`${folder}/none`), null);
  });
});

Deno.test("readText() reads the beginning or the end, files without a size, and no devices", async () => {
  await inFolder(async (folder, machine) => {
    await Deno.writeTextFile(`${folder}/file`, "0123456789");
    assert.equal(await machine.readText(`${folder}/file`, 4), "0123");
    assert.equal(await machine.readText(`${folder}/file`, 4, "end"), "6789");
    assert.equal(await machine.readText(`${folder}/file`, 40, "end"), "0123456789");
    assert.equal(await machine.readText(`${folder}/none`, 4), null);
    assert.equal(await machine.readText("/dev/zero", 4), null);
    assert.match(await machine.readText("/proc/self/mountinfo", 1_000_000) ?? "", / \/proc /);
    await Deno.writeTextFile(`${folder}/large`, "x".repeat(200_000));
    assert.equal((await machine.readText(`${folder}/large`, 1_000_000))?.length, 200_000);
  });
});

Deno.test("names() lists a folder; null for none", async () => {
  await inFolder(async (folder, machine) => {
    await Deno.writeTextFile(`${folder}/a`, "");
    assert.deepEqual(await machine.names(folder), ["a"]);
    assert.equal(await machine.names(`${folder}/none`), null);
    await assert.rejects(machine.names(`${folder}/a\0`));
  });
});

Deno.test("mayWrite() asks the system and writes nothing", async () => {
  await inFolder(async (folder, machine) => {
    assert.equal(machine.mayWrite(folder), true);
    assert.equal(machine.mayWrite("/proc/version"), false);
    assert.deepEqual(await machine.names(folder), []);
  });
});

Deno.test("tell() returns code and output, and null for no program or one that does not end", async () => {
  await inFolder(async (_, machine) => {
    const script = "echo told; exit 3";
    assert.deepEqual(await machine.tell(["sh", "-c", script], 5_000), {
      code: 3,
      stdout: "told\n",
    });
    assert.equal(await machine.tell(["no-such-program-anywhere"], 5_000), null);
    assert.equal(await machine.tell(["sleep", "5"], 50), null);
    assert.ok(machine.wallMs() > NOW_MS - 1e12);
  });
});

Deno.test("ask() knows a socket that answers from one that does not, and one that hangs", async () => {
  await inFolder(async (folder, machine) => {
    const path = `${folder}/control.sock`;
    await assert.rejects(machine.ask(path, "/metrics", 5_000), /No agent answers/);
    const hang = Promise.withResolvers<Response>();
    await using _server = Deno.serve({ path, onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      return pathname === "/hang" ? hang.promise : new Response(`asked for ${pathname}`);
    });
    assert.equal(await machine.ask(path, "/metrics", 5_000), "asked for /metrics");
    await assert.rejects(machine.ask(path, "/hang", 50), /does not answer in time/);
    hang.resolve(new Response());
  });
});
