import assert from "node:assert/strict";
import { ProvisionEndpoint, Readiness } from "../../../../src/agent/provision/mod.ts";
import type { HeaderField } from "../../../../src/domain/wire/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

/** An endpoint of an agent in the given state; `finishedMs` ago it finished, or `null`. */
function stand(isLatched: boolean, finished: boolean) {
  const clock = new FakeClock();
  const readiness = new Readiness({
    clock,
    logger: new MemoryLogger(),
    tags: { write: () => Promise.resolve(), remove: () => Promise.resolve() },
    messageOf: (flag) => `${flag} is late`,
  });
  if (finished) {
    for (const flag of ["redirector", "keyLatch", "listener"] as const) readiness.set(flag);
  }
  const keeper = {
    notified: 0,
    isLatchedState: () => isLatched,
    notify: () => void keeper.notified++,
  };
  const endpoint = new ProvisionEndpoint(readiness, keeper);
  const nowTick = BigInt(clock.wallMs()) * 1_000_000n;
  const answer = (headers: readonly HeaderField[], uid: number | null = 0) =>
    endpoint.answer(headers, uid);
  return { answer, clock, keeper, nowTick };
}

function query(tick: bigint | string | null, notify = false): HeaderField[] {
  const fields: HeaderField[] = [["metadata", "true"]];
  if (tick !== null) fields.push(["x-ms-azure-time-tick", String(tick)]);
  if (notify) fields.push(["x-ms-azure-notify", "true"]);
  return fields;
}

Deno.test("answer() is finished when it finished after the question arose", () => {
  const { answer, nowTick } = stand(false, true);
  assert.deepEqual(answer(query(nowTick)), { finished: true, errorMessage: "" });
  assert.equal(answer(query(nowTick + 999_999n)).finished, true);
  assert.equal(answer(query(nowTick + 1_000_000n)).finished, false);
});

Deno.test("answer() is finished for good in a latched state", () => {
  const { answer, nowTick } = stand(true, true);
  assert.equal(answer(query(nowTick + 10n ** 15n)).finished, true);
});

Deno.test("answer() is not finished before the agent is, whatever the tick", () => {
  for (const isLatched of [true, false]) {
    const { answer, nowTick } = stand(isLatched, false);
    for (const tick of [nowTick, 1n, 0n, -1n, null, "soon", ""]) {
      assert.equal(answer(query(tick)).finished, false, String(tick));
    }
  }
});

Deno.test("answer() without a usable tick says whether it is finished at all (S-15)", () => {
  for (const isLatched of [true, false]) {
    const { answer } = stand(isLatched, true);
    for (const tick of [null, "soon", "-5", "0", "1e9"]) {
      assert.equal(answer(query(tick)).finished, true, String(tick));
    }
  }
});

Deno.test("answer() names what is missing, finished or not", () => {
  const { answer } = stand(false, false);
  assert.equal(
    answer(query(null)).errorMessage,
    "ebpfProgramStatus - redirector is late\r\nkeyLatchStatus - keyLatch is late\r\n" +
      "proxyListenerStatus - listener is late\r\n",
  );
});

Deno.test("answer() wakes the keeper for an unfinished question with the notify field alone", () => {
  const open = stand(false, true);
  open.answer(query(open.nowTick + 10n ** 12n));
  assert.equal(open.keeper.notified, 0);
  open.answer(query(open.nowTick + 10n ** 12n, true));
  assert.equal(open.keeper.notified, 1);
  open.answer(query(open.nowTick, true));
  assert.equal(open.keeper.notified, 1, "a finished question wakes nobody");
});

Deno.test("answer() stays right when somebody sets the clock between finish and question", () => {
  for (const jumpMs of [-3_600_000, 3_600_000]) {
    const { answer, clock } = stand(false, true);
    clock.tick(5_000);
    clock.jumpWall(jumpMs);
    const tickOf = (agoMs: number) => BigInt(clock.wallMs() - agoMs) * 1_000_000n;
    assert.equal(answer(query(tickOf(4_999))).finished, false, `${jumpMs}, asked after the finish`);
    assert.equal(answer(query(tickOf(5_001))).finished, true, `${jumpMs}, asked before it`);
  }
});

Deno.test("answer() tells others than root which part is late, and not why", () => {
  const { answer } = stand(false, false);
  const lines = answer(query(null), 1000).errorMessage;
  assert.equal(
    lines,
    ["ebpfProgramStatus", "keyLatchStatus", "proxyListenerStatus"]
      .map((part) => `${part} - not ready; root is told why\r\n`).join(""),
  );
  assert.match(answer(query(null), 0).errorMessage, /redirector is late/);
  // Before redirection is up the kernel knows nobody, and cloud-init has to hear what is wrong.
  assert.match(answer(query(null), null).errorMessage, /redirector is late/);
  assert.deepEqual(stand(true, true).answer(query(null), 1000), {
    finished: true,
    errorMessage: "",
  });
});
