import assert from "node:assert/strict";
import { kernelTest, type Machine } from "./machine.ts";
import type { RunOptions } from "../../tools/sandbox/mod.ts";

const NOBODY = { user: { uid: 65534, gid: 65534 } };

function bind(
  machine: Machine,
  family: string,
  address: string,
  port: number,
  options: RunOptions,
) {
  return machine.python<string | null>(
    `
s = tcp(${family})
s.setsockopt(SOL_SOCKET, socket.SO_REUSEPORT, 1)
say(attempt(lambda: (s.bind(("${address}", ${port})), s.listen())))
`,
    options,
  );
}

for (
  const [family, address] of [
    ["AF_INET", "127.0.0.1"],
    ["AF_INET", "0.0.0.0"],
    ["AF_INET", "127.0.0.2"],
    ["AF_INET6", "::"],
    ["AF_INET6", "::1"],
    ["AF_INET6", "::ffff:127.0.0.1"],
  ] as const
) {
  kernelTest(
    `an ordinary user cannot bind the listener's port at ${address}, neither before nor after the agent dies`,
    async (machine) => {
      const probe = await machine.probe();
      assert.equal(await bind(machine, family, address, 3080, NOBODY), "EPERM");
      const { counters } = await probe.order<{ counters: Record<string, number> }>({
        do: "inspect",
      });
      assert.equal(counters["bind_refused"], 1);
      probe.kill();
      await probe.ended();
      assert.equal(await bind(machine, family, address, 3080, NOBODY), "EPERM");
      assert.equal(await bind(machine, family, address, 3080, {}), null);
    },
  );
}

kernelTest(
  "an ordinary user may bind other ports, and the same port for UDP or in another namespace",
  async (machine) => {
    const probe = await machine.probe();
    assert.equal(await bind(machine, "AF_INET", "127.0.0.1", 3081, NOBODY), null);
    assert.equal(await bind(machine, "AF_INET6", "::", 3081, NOBODY), null);
    assert.equal(
      await machine.python(
        `say(attempt(lambda: socket.socket(AF_INET, SOCK_DGRAM).bind(LISTENER)))`,
        NOBODY,
      ),
      null,
    );
    const elsewhere: RunOptions = { ...NOBODY, side: "host", inCgroup: true };
    assert.equal(await bind(machine, "AF_INET", "127.0.0.1", 3080, elsewhere), null);
    await probe.stop();
  },
);

kernelTest("the port is free again for everybody after a clean stop", async (machine) => {
  const probe = await machine.probe();
  await probe.stop();
  assert.equal(await bind(machine, "AF_INET", "127.0.0.1", 3080, NOBODY), null);
});
