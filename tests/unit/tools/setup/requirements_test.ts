import assert from "node:assert/strict";
import { findCgroup2, findProblems, type Machine } from "../../../../tools/setup/requirements.ts";

const ALL_CAPABILITIES = "CapEff:\t000001ffffffffff\n";
const GOOD: Machine = {
  os: "linux",
  arch: "x86_64",
  uid: 0,
  kernelRelease: "6.1.0-18-amd64",
  mountInfo: "30 24 0:26 / /sys/fs/cgroup rw,nosuid,relatime shared:4 - cgroup2 cgroup2 rw\n",
  processStatus: ALL_CAPABILITIES,
  pidNamespace: "pid:[4026531836]",
  hasKernelTypes: true,
  bpfError: null,
};

function problemsOf(change: Partial<Machine>): string[] {
  return findProblems({ ...GOOD, ...change }).map(({ reason, remedy }) => {
    assert.notEqual(remedy, "");
    return reason;
  });
}

Deno.test("findProblems() finds nothing on a machine that has everything", () => {
  assert.deepEqual(problemsOf({}), []);
  assert.deepEqual(problemsOf({ arch: "aarch64", kernelRelease: "5.15.0-1-arm64" }), []);
});

Deno.test("findProblems() names each thing that is missing", () => {
  const table: [Partial<Machine>, RegExp][] = [
    [{ os: "darwin" }, /needs? Linux/],
    [{ arch: "riscv64" }, /processor/],
    [{ uid: 1000 }, /root/],
    [{ kernelRelease: "5.10.0-8-amd64" }, /older than 5\.15/],
    [{ kernelRelease: "4.19.0" }, /older than 5\.15/],
    [{ mountInfo: "" }, /no cgroup2/],
    [{ mountInfo: GOOD.mountInfo.replace(" rw,", " ro,") }, /read-only/],
    [{ pidNamespace: "pid:[4026532301]" }, /process ids/],
    [{ hasKernelTypes: false }, /BTF/],
    [{ processStatus: "CapEff:\t00000000a80425fb\n" }, /CAP_NET_ADMIN and CAP_SYS_ADMIN/],
    [{ bpfError: "Operation not permitted" }, /BPF map \(Operation not permitted\)/],
  ];
  for (const [change, pattern] of table) {
    const problems = problemsOf(change);
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", pattern);
  }
});

Deno.test("findProblems() does not blame the kernel for what an ordinary user may not do", () => {
  assert.equal(problemsOf({ uid: 1000, bpfError: "Operation not permitted" }).length, 1);
});

Deno.test("findCgroup2() finds the mount beside cgroup1 and decodes its path", () => {
  const text = [
    "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu",
    "40 30 0:36 / /mnt/with\\040blank rw,relatime - cgroup2 cgroup2 rw",
  ].join("\n");
  assert.deepEqual(findCgroup2(text), { path: "/mnt/with blank", writable: true });
  assert.equal(findCgroup2("31 30 0:27 / /x rw - cgroup cgroup rw"), null);
});
