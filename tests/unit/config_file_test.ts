import assert from "node:assert/strict";
import { configCandidates, loadConfig } from "../../src/config_file.ts";

const GOOD = JSON.stringify({ logFolder: "/l", eventFolder: "/e", latchKeyFolder: "/k" });
const environment = () => undefined;

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("configCandidates() are the system's file, then the one beside the executable", () => {
  assert.deepEqual(configCandidates("/usr/sbin/azure-proxy-agent"), [
    "/etc/azure/proxy-agent.json",
    "/usr/sbin/proxy-agent.json",
  ]);
});

Deno.test("loadConfig() takes the first candidate that exists", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/b`, GOOD);
    await Deno.writeTextFile(`${folder}/c`, "{");
    const loaded = await loadConfig(
      null,
      ["a", "b", "c"].map((name) => `${folder}/${name}`),
      environment,
    );
    assert.ok(loaded.ok);
    assert.equal(loaded.value.config.logFolder, "/l");
    assert.notEqual(loaded.value.config.statusFolder, "/l");
  }));

Deno.test("loadConfig() does not go on to the next candidate behind one that is wrong", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a`, "{");
    await Deno.writeTextFile(`${folder}/b`, GOOD);
    const loaded = await loadConfig(null, [`${folder}/a`, `${folder}/b`], environment);
    assert.ok(!loaded.ok);
    assert.match(
      loaded.error.problems[0] ?? "",
      /^The configuration `.*\/a` is wrong: no valid JSON/,
    );
  }));

Deno.test("loadConfig() takes the named file alone, and puts the status beside its logs", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a`, GOOD);
    const loaded = await loadConfig(`${folder}/a`, [`${folder}/b`], environment);
    assert.ok(loaded.ok);
    assert.equal(loaded.value.config.statusFolder, "/l");
    const missing = await loadConfig(`${folder}/b`, [`${folder}/a`], environment);
    assert.ok(!missing.ok);
    assert.match(
      missing.error.problems[0] ?? "",
      /^The configuration `.*\/b` cannot be read: ENOENT/,
    );
  }));

Deno.test("loadConfig() names all places when there is no file", async () => {
  const loaded = await loadConfig(null, ["/no/a", "/no/b"], environment);
  assert.deepEqual(loaded, {
    ok: false,
    error: {
      kind: "unreadable",
      problems: [
        "There is no configuration at `/no/a` or `/no/b`; create one or name one with --config",
      ],
      warnings: [],
    },
  });
});

Deno.test("loadConfig() refuses folders and files that are much too large", () =>
  inFolder(async (folder) => {
    const folderError = await loadConfig(folder, [], environment);
    assert.ok(!folderError.ok);
    assert.match(folderError.error.problems[0] ?? "", /not a regular file/);
    await Deno.writeTextFile(`${folder}/a`, " ".repeat(1024 * 1024 + 1));
    const sizeError = await loadConfig(`${folder}/a`, [], environment);
    assert.ok(!sizeError.ok);
    assert.match(sizeError.error.problems[0] ?? "", /larger than 1048576 bytes/);
  }));

Deno.test("loadConfig() gives each error a sentence of its own", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a`, "{}");
    const loaded = await loadConfig(`${folder}/a`, [], environment);
    assert.ok(!loaded.ok);
    assert.equal(loaded.error.problems.length, 3);
  }));
