import assert from "node:assert/strict";
import { eventually, kernelTest } from "./machine.ts";
import { Sandbox } from "../../tools/sandbox/mod.ts";

kernelTest(
  "run() runs as the user, in the namespace and in the cgroup that were asked for",
  async ({ sandbox }) => {
    const where = ["sh", "-c", "id -u; id -g; id -G; tail -n 1 /proc/self/cgroup; ip -o -4 addr"];
    const vm = await sandbox.run(where, { user: { uid: 20001, gid: 20002 } });
    assert.equal(vm.code, 0, vm.stderr);
    const [uid, gid, groups, cgroup] = vm.stdout.split("\n");
    assert.deepEqual([uid, gid, groups], ["20001", "20002", "20002"]);
    assert.match(cgroup ?? "", new RegExp(`/${sandbox.name}$`));
    assert.match(vm.stdout, / 192\.0\.2\.2\/30 /);
    assert.doesNotMatch(vm.stdout, /169\.254/);

    const host = await sandbox.run(where, { side: "host" });
    assert.match(host.stdout, /^0\n0\n/);
    assert.doesNotMatch(host.stdout, new RegExp(`/${sandbox.name}\n`));
    assert.match(host.stdout, /169\.254\.169\.254\/32/);
    assert.match(host.stdout, /168\.63\.129\.16\/32/);
  },
);

kernelTest(
  "close() ends what runs, and what it started, and can be called twice",
  async ({ sandbox }) => {
    const child = sandbox.spawn(["sh", "-c", "setsid sleep 300 & echo $!; sleep 300"]);
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const grandchild = Number(new TextDecoder().decode(value));
    assert.ok(Deno.statSync(`/proc/${grandchild}`).isDirectory);
    await sandbox.close();
    await sandbox.close();
    await child.status;
    await reader.cancel();
    await child.stderr.cancel();
    await eventually("the grandchild ended", () => Promise.resolve(hasEnded(grandchild)));
  },
);

kernelTest("two sandboxes do not meet", async ({ sandbox }) => {
  await using other = await Sandbox.create("kt");
  const dial = ["curl", "-s", "-m", "2", "-o", "/dev/null", "http://169.254.169.254/"];
  assert.equal((await sandbox.run(dial)).code, 0);
  assert.notEqual((await other.run(dial)).code, 0);
});

/** Gone, or waiting for whoever adopted it to take note. */
function hasEnded(pid: number): boolean {
  try {
    return /\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
}
