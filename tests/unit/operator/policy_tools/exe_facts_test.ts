import assert from "node:assert/strict";
import {
  FileExeInspector,
  type FileView,
  type StatView,
  THIS_MACHINE,
} from "../../../../src/operator/policy_tools/exe_facts.ts";

/** Files by path: the mode, the owner, the group, or the target of a link. */
function machine(files: Record<string, readonly [number, number?, number?] | string>): FileView {
  const folders = { "/": [0o755], "/usr": [0o755], "/usr/bin": [0o755] } as const;
  const all: typeof files = { ...folders, ...files };
  return {
    lstat(path): StatView | null {
      const entry = all[path];
      if (entry === undefined) return null;
      const isDirectory = Object.keys(all).some((other) => other.startsWith(`${path}/`));
      if (typeof entry === "string") {
        return { isSymlink: true, isDirectory: false, mode: 0o777, uid: 1000, gid: 1000 };
      }
      const [mode, uid = 0, gid = 0] = entry;
      return { isSymlink: false, isDirectory, mode, uid, gid };
    },
    readLink: (path) => typeof all[path] === "string" ? all[path] : null,
  };
}

function inspect(path: string, files: Parameters<typeof machine>[0]) {
  const facts = new FileExeInspector(machine(files)).inspect(path);
  return facts.kind === "writable" ? `${facts.place} ${facts.why}` : facts.kind;
}

Deno.test("FileExeInspector.inspect() finds who else can change the file or a folder above it", () => {
  const tool = "/usr/bin/tool";
  assert.equal(inspect(tool, { [tool]: [0o755] }), "guarded");
  assert.equal(inspect(tool, {}), "missing");
  assert.equal(inspect(tool, { [tool]: [0o757] }), `${tool} can be written by everybody`);
  assert.equal(inspect(tool, { [tool]: [0o775, 0, 50] }), `${tool} can be written by gid 50`);
  assert.equal(inspect(tool, { [tool]: [0o775] }), "guarded");
  assert.equal(inspect(tool, { [tool]: [0o555, 1000] }), `${tool} belongs to uid 1000`);
  assert.equal(
    inspect(tool, { [tool]: [0o755], "/usr/bin": [0o777] }),
    "/usr/bin can be written by everybody",
  );
  assert.equal(inspect(tool, { [tool]: [0o755], "/": [0o777] }), "/ can be written by everybody");
});

Deno.test("FileExeInspector.inspect() looks behind links and through a sticky folder", () => {
  const files = { "/usr/bin/real": [0o755], "/tmp": [0o1777], "/tmp/x": [0o755, 1000] } as const;
  assert.equal(inspect("/usr/bin/link", { ...files, "/usr/bin/link": "real" }), "guarded");
  assert.equal(inspect("/usr/bin/link", { ...files, "/usr/bin/link": "../bin/./real" }), "guarded");
  assert.equal(
    inspect("/usr/bin/link", { ...files, "/usr/bin/link": "/tmp/x" }),
    "/tmp/x belongs to uid 1000",
  );
  assert.equal(inspect("/tmp/y", { ...files, "/tmp/y": [0o755] }), "guarded");
  assert.equal(inspect("/usr/bin/a", { "/usr/bin/a": "b", "/usr/bin/b": "a" }), "missing");
});

Deno.test("FileExeInspector.inspect() looks at this machine", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/tool`;
    Deno.writeTextFileSync(path, "");
    Deno.chmodSync(path, 0o666);
    assert.equal(new FileExeInspector().inspect(path).kind, "writable");
    Deno.symlinkSync(path, `${folder}/link`);
    assert.equal(new FileExeInspector().inspect(`${folder}/link`).kind, "writable");
    assert.equal(new FileExeInspector().inspect(`${folder}/none`).kind, "missing");
    assert.equal(THIS_MACHINE.readLink(path), null);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
