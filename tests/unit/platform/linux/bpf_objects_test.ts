import assert from "node:assert/strict";
import { candidatePaths, readBpfObject } from "../../../../src/platform/linux/bpf_objects.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";

const PATHS = { fullPath: null, fileName: "ebpf_cgroup.o", folders: ["/opt/agent", "/build"] };

Deno.test("candidatePaths() looks for the configured name in every folder, then for the built one", () => {
  assert.deepEqual(candidatePaths(PATHS, "full"), [
    "/usr/lib/azure-proxy-agent/ebpf_cgroup.o",
    "/opt/agent/ebpf_cgroup.o",
    "/build/ebpf_cgroup.o",
    "/usr/lib/azure-proxy-agent/redirector.o",
    "/opt/agent/redirector.o",
    "/build/redirector.o",
  ]);
});

Deno.test("candidatePaths() tries a full path first, and no path twice", () => {
  const paths = { ...PATHS, fullPath: "/etc/my.o", fileName: "redirector.o" };
  assert.deepEqual(candidatePaths(paths, "full"), [
    "/etc/my.o",
    "/usr/lib/azure-proxy-agent/redirector.o",
    "/opt/agent/redirector.o",
    "/build/redirector.o",
  ]);
});

Deno.test("candidatePaths() names the variant without task reads before the ending", () => {
  const of = (fullPath: string) => candidatePaths({ ...PATHS, fullPath }, "no-task-reads")[0];
  assert.equal(of("/etc/my.o"), "/etc/my_no_task.o");
  assert.equal(of("/etc/my"), "/etc/my_no_task");
  assert.equal(of("/etc.d/my"), "/etc.d/my_no_task");
});

Deno.test("readBpfObject() reads the first that is there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const paths = { fullPath: `${folder}/missing.o`, fileName: "x.o", folders: [folder] };
    await Deno.writeTextFile(`${folder}/x.o`, "full");
    await Deno.writeTextFile(`${folder}/x_no_task.o`, "no task");
    const read = (variant: "full" | "no-task-reads") =>
      new TextDecoder().decode(readBpfObject(paths, variant));
    assert.equal(read("full"), "full");
    assert.equal(read("no-task-reads"), "no task");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readBpfObject() names every path it tried where there is none", () => {
  const paths = { fullPath: "/no/such/full.o", fileName: "x.o", folders: ["/no/such"] };
  assert.throws(() => readBpfObject({ ...paths, fileName: "no such.o" }, "full"), (error) => {
    if (!(error instanceof AgentError)) return false;
    assert.equal(error.code, "BPF_OBJECT_MISSING");
    assert.match(error.message, /deno task build:bpf/);
    assert.match(error.message, /`\/no\/such\/full\.o`.*`\/no\/such\/no such\.o`/);
    return true;
  });
});

Deno.test("readBpfObject() does not pass over a path that cannot be read", () => {
  const paths = { fullPath: "/proc", fileName: "x.o", folders: [] };
  assert.throws(() => readBpfObject(paths, "full"), (error) => !(error instanceof AgentError));
});
