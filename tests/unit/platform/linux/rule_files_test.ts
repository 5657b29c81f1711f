import assert from "node:assert/strict";
import { LinuxRuleFiles, rulesFolder } from "../../../../src/platform/linux/rule_files.ts";

interface Place {
  readonly folder: string;
  readonly file: string;
  readonly files: LinuxRuleFiles;
}

async function withFolder(play: (place: Place) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  const folder = `${parent}/rules`;
  try {
    await play({ folder, file: `${folder}/IMDS_Rules.json`, files: new LinuxRuleFiles(folder) });
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

Deno.test("rulesFolder() is the sibling of the key folder, or lies in it", () => {
  assert.equal(rulesFolder("/var/lib/azure-proxy-agent/keys"), "/var/lib/azure-proxy-agent/rules");
  assert.equal(rulesFolder("/var/lib/azure-proxy-agent/keys/"), "/var/lib/azure-proxy-agent/rules");
  assert.equal(rulesFolder("/keys"), "/rules");
  assert.equal(rulesFolder("keys"), "keys/rules");
  assert.equal(rulesFolder("/"), "/rules");
});

Deno.test("LinuxRuleFiles.open() creates the folder 0700 and narrows a wider one", () =>
  withFolder(async ({ folder, files }) => {
    assert.deepEqual(await files.look("imds"), { kind: "missing" }, "no folder, no file");
    await files.open();
    assert.equal(modeOf(folder), 0o700);
    await Deno.chmod(folder, 0o777);
    await files.open();
    assert.equal(modeOf(folder), 0o700);
  }));

Deno.test("LinuxRuleFiles reads each endpoint's own file", () =>
  withFolder(async ({ folder, files }) => {
    await files.open();
    for (
      const [endpoint, name] of [
        ["wireserver", "WireServer_Rules.json"],
        ["imds", "IMDS_Rules.json"],
        ["hostga", "HostGA_Rules.json"],
      ] as const
    ) {
      assert.deepEqual(await files.look(endpoint), { kind: "missing" });
      await Deno.writeTextFile(`${folder}/${name}`, `\ufeff{"id":"${endpoint}"}`, { mode: 0o644 });
      const state = await files.look(endpoint);
      const { text, fingerprint } = await files.read(endpoint);
      assert.equal(text, `\ufeff{"id":"${endpoint}"}`, "the mark is the parser's business");
      assert.deepEqual(state, { kind: "present", fingerprint });
    }
  }));

Deno.test("LinuxRuleFiles.look() narrows a folder that was opened meanwhile", () =>
  withFolder(async ({ folder, files }) => {
    await files.open();
    await Deno.chmod(folder, 0o775);
    await files.look("imds");
    assert.equal(modeOf(folder), 0o700);
  }));

Deno.test("LinuxRuleFiles.look() notices a change that keeps size and times", () =>
  withFolder(async ({ file, files }) => {
    await files.open();
    await Deno.writeTextFile(file, "{}  ", { mode: 0o600 });
    await Deno.utime(file, 1_000, 1_000);
    const before = await files.look("imds");
    assert.deepEqual(await files.look("imds"), before);
    await Deno.writeTextFile(file, "{  }");
    await Deno.utime(file, 1_000, 1_000);
    assert.notDeepEqual(await files.look("imds"), before);
  }));

/** What is wrong with a file, and the words that say so. */
const SPOILED: [string, (file: string) => Promise<void>, RegExp][] = [
  ["group may write", (file) => Deno.chmod(file, 0o660), /open to others, mode 660/],
  ["others may write", (file) => Deno.chmod(file, 0o606), /open to others, mode 606/],
  ["somebody else's", (file) => Deno.chown(file, 65534, 0), /belongs to user 65534/],
  ["a link", async (file) => {
    await Deno.rename(file, `${file}.real`);
    await Deno.symlink(`${file}.real`, file);
  }, /ELOOP/],
  ["a folder", async (file) => {
    await Deno.remove(file);
    await Deno.mkdir(file);
  }, /no regular file/],
  ["too large", (file) => Deno.truncate(file, 1_048_577), /has 1048577 bytes/],
];

for (const [what, spoil, words] of SPOILED) {
  Deno.test(`LinuxRuleFiles refuses a file: ${what}`, () =>
    withFolder(async ({ file, files }) => {
      await files.open();
      await Deno.writeTextFile(file, "{}", { mode: 0o600 });
      await spoil(file);
      const state = await files.look("imds");
      assert.ok(state.kind === "error" && words.test(state.cause), JSON.stringify(state));
      await assert.rejects(files.read("imds"), { code: "RULE_FILES", message: words });
    }));
}

Deno.test("LinuxRuleFiles.read() refuses what is no UTF-8 and what is not there", () =>
  withFolder(async ({ file, files }) => {
    await files.open();
    await assert.rejects(files.read("imds"), { code: "RULE_FILES" });
    await Deno.writeFile(file, Uint8Array.of(0x22, 0xff, 0x22), { mode: 0o600 });
    await assert.rejects(files.read("imds"), { code: "RULE_FILES" });
  }));

Deno.test("LinuxRuleFiles refuses a folder that is a link or somebody else's", async () => {
  await withFolder(async ({ folder, files }) => {
    await Deno.mkdir(`${folder}.real`);
    await Deno.symlink(`${folder}.real`, folder);
    await assert.rejects(files.open(), { code: "RULE_FILES", message: /is no folder/ });
    assert.equal((await files.look("imds")).kind, "error");
  });
  await withFolder(async ({ folder }) => {
    await Deno.mkdir(folder);
    const files = new LinuxRuleFiles(folder, 12_345);
    await assert.rejects(files.open(), { code: "RULE_FILES", message: /belongs to user/ });
    const state = await files.look("imds");
    assert.ok(state.kind === "error" && /belongs to user/.test(state.cause));
  });
});
