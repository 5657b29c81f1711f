import assert from "node:assert/strict";
import { kernelTest, type Told } from "./machine.ts";

kernelTest("connect4 sends an unmodified curl to the listener", async (machine) => {
  const probe = await machine.probe();
  const { code, stdout } = await machine.sandbox.run(["curl", "-s", "http://169.254.169.254/"]);
  assert.equal(code, 0);
  const seen = JSON.parse(stdout);
  assert.equal(seen.by, "agent");
  assert.equal(seen.kind, "redirected");
  assert.deepEqual(seen.record.destination, { address: "169.254.169.254", port: 80 });
  assert.equal(seen.record.comm, "curl");
  await probe.stop();
});

kernelTest("connect6 sends an IPv4-mapped client to the listener", async (machine) => {
  const probe = await machine.probe();
  const { me, seen } = await machine.python<Told>(`
s = tcp(AF_INET6)
s.connect(("::ffff:169.254.169.254", 80))
tell(s)
`);
  assert.equal(seen.by, "agent");
  assert.equal(seen.record?.cookie, me.cookie);
  await probe.stop();
});

kernelTest("leave", async (machine) => {
  const probe = await machine.probe();
  await probe.leave();
});
