import assert from "node:assert/strict";
import { compileProgram } from "./compile.ts";
import { eventually, kernelTest, type Machine, type Probe } from "./machine.ts";
import type { Tally } from "./probe_protocol.ts";

/** Connections with forced reuse of source ports; the full million takes some minutes. */
const RECONNECTS = Number(Deno.env.get("RECONNECTS") ?? 50_000);
const CHURNING_USERS = 8;

interface Sums {
  readonly connections: number;
  readonly same: number;
  readonly other: number;
  readonly none: number;
  readonly unheard: number;
  readonly busy: number;
  readonly failed: number;
  readonly lastErrno: number;
}

async function reconnect(
  machine: Machine,
  mode: "hold" | "churn",
  users: number,
  connections: number,
): Promise<Sums & { seconds: number }> {
  const program = await compileProgram("reconnect.c", `${machine.sandbox.folder}/reconnect`);
  const startedAt = performance.now();
  const client = machine.talk([program, mode, String(users), String(connections)]);
  const sums = JSON.parse(await client.line(30 * 60_000)) as Sums;
  assert.equal(await client.ended(), 0);
  return { ...sums, seconds: (performance.now() - startedAt) / 1000 };
}

/** Whatever came, no record and no count is left of it. */
async function assertNothingLives(probe: Probe): Promise<void> {
  await eventually("nothing lives", async () => {
    const { records } = await probe.order<{ records: { live: number } }>({ do: "inspect" });
    return records.live === 0;
  });
}

kernelTest(
  "5,000 connections of 50 users at once are each attributed to their own user and process",
  async (machine) => {
    const probe = await machine.probe();
    const sums = await reconnect(machine, "hold", 50, 100);
    const tally = await probe.order<Tally>({ do: "tally" });
    console.log(JSON.stringify({ sums, tally }));
    assert.equal(sums.failed, 0, `last error ${sums.lastErrno}`);
    assert.deepEqual([sums.connections, sums.same, sums.other, sums.none], [5000, 5000, 0, 0]);
    assert.deepEqual([tally.requests, tally.matched], [5000, 5000], tally.examples.join("; "));
    await assertNothingLives(probe);
    await probe.stop();
  },
);

kernelTest(
  "no request is attributed to another socket while 32 source ports are used over and over",
  async (machine) => {
    await machine.sandbox.run(["sysctl", "-qw", "net.ipv4.ip_local_port_range=32768 32799"]);
    const probe = await machine.probe();
    const each = Math.ceil(RECONNECTS / CHURNING_USERS);
    const sums = await reconnect(machine, "churn", CHURNING_USERS, each);
    await assertNothingLives(probe);
    const tally = await probe.order<Tally>({ do: "tally" });
    console.log(
      JSON.stringify({ sums, tally, perSecond: Math.round(sums.connections / sums.seconds) }),
    );
    assert.equal(tally.mismatched, 0, tally.examples.join("; "));
    assert.equal(sums.other, 0);
    assert.equal(tally.lost, 0, tally.examples.join("; "));
    assert.equal(sums.failed, 0, `last error ${sums.lastErrno}`);
    assert.equal(sums.connections, each * CHURNING_USERS);
    // Three of eight ways wait for the answer from a source of the kernel's choice: those are always known.
    assert.ok(sums.same > sums.connections * 0.3, JSON.stringify(sums));
    // Sources of the clients' own choice are contested all the time.
    assert.ok(tally.unattributed > 0);
    await probe.stop();
  },
);
