import assert from "node:assert/strict";
import { kernelTest, type Probe } from "./machine.ts";

const NOBODY = { user: { uid: 65534, gid: 65534 } };
const OTHER = { user: { uid: 20001, gid: 20001 } };

async function overLimit(probe: Probe): Promise<number> {
  const { counters } = await probe.order<{ counters: Record<string, number> }>({ do: "inspect" });
  return counters["over_limit"] ?? -1;
}

/** Opens connections until one fails; how many there were, and why the next one failed. */
const FILL = `
held = []
def fill(to=IMDS, most=50):
    for _ in range(most):
        s = tcp()
        failed = attempt(lambda: s.connect(to))
        if failed:
            return [len(held), failed]
        held.append(s)
    return [len(held), None]
`;

kernelTest(
  "a user holds as many connections as its limit and not one more, others are not concerned",
  async (machine) => {
    const probe = await machine.probe({ userConnectionLimit: 5, rootConnectionLimit: 100 });
    const full = machine.caller(`${FILL}say(fill())\nwait()`, NOBODY);
    assert.deepEqual(await full.says(), [5, "EPERM"]);
    assert.equal(await overLimit(probe), 1);
    assert.deepEqual(await machine.python(`${FILL}say(fill(IMDS, 3))`, OTHER), [3, null]);
    await full.ended();
    await probe.stop();
  },
);

kernelTest("root has a limit of its own", async (machine) => {
  const probe = await machine.probe({ userConnectionLimit: 2, rootConnectionLimit: 7 });
  assert.deepEqual(await machine.python(`${FILL}say(fill())`), [7, "EPERM"]);
  assert.deepEqual(await machine.python(`${FILL}say(fill())`, NOBODY), [2, "EPERM"]);
  await probe.stop();
});

kernelTest("a closed connection makes room for the next one", async (machine) => {
  const probe = await machine.probe({ userConnectionLimit: 3 });
  const told = await machine.python(
    `${FILL}
first = fill()
reset(held.pop())
held.pop().close()
ask(held[0])
until = time.monotonic() + 5
while fill()[0] < 3 and time.monotonic() < until:
    time.sleep(0.02)
say([first, fill()])
`,
    NOBODY,
  );
  assert.deepEqual(told, [[3, "EPERM"], [3, "EPERM"]]);
  await probe.stop();
});

kernelTest("the limit holds for all processes of a user together", async (machine) => {
  const probe = await machine.probe({ userConnectionLimit: 4 });
  const first = machine.caller(`${FILL}say(fill(IMDS, 3))\nwait()`, NOBODY);
  assert.deepEqual(await first.says(), [3, null]);
  assert.deepEqual(await machine.python(`${FILL}say(fill())`, NOBODY), [1, "EPERM"]);
  await first.ended();
  await probe.stop();
});

kernelTest("connections dialled to the listener itself count as well", async (machine) => {
  const probe = await machine.probe({ userConnectionLimit: 4 });
  const told = await machine.python(
    `${FILL}say([fill(LISTENER, 3), fill(IMDS), fill(LISTENER)])`,
    NOBODY,
  );
  assert.deepEqual(told, [[3, null], [4, "EPERM"], [4, "EPERM"]]);
  await probe.stop();
});

kernelTest("a user at its limit still reaches everything else", async (machine) => {
  const probe = await machine.probe({ userConnectionLimit: 1 });
  const told = await machine.python(
    `${FILL}say([fill(), attempt(lambda: connected(("192.0.2.1", 80)))])`,
    NOBODY,
  );
  assert.deepEqual(told, [[1, "EPERM"], null]);
  await probe.stop();
});
