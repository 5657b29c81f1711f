import assert from "node:assert/strict";
import { type Chunk, Uploader } from "../../../../src/agent/telemetry/uploader.ts";
import type { TelemetryEvent } from "../../../../src/domain/wire/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { SAMPLE_STATUS, sampleEvent, VM } from "./samples.ts";

const SIGNAL = new AbortController().signal;

/** A host that accepts uploads until it is told otherwise; messages of the events it accepted, upload by upload. */
function host() {
  const accepted: string[][] = [];
  const failures: AgentError[] = [];
  return {
    accepted,
    failures,
    sendTelemetry(payload: Uint8Array) {
      const failure = failures.shift();
      if (failure !== undefined) return Promise.reject(failure);
      const text = new TextDecoder().decode(payload);
      accepted.push(
        [...text.matchAll(/Name="(?:Context1|Message)" Value="([^"]*)"/g)].map((m) =>
          (m[1] ?? "").slice(0, 8)
        ),
      );
      return Promise.resolve();
    },
  };
}

function status(code: number): AgentError {
  return new AgentError("HOST_STATUS", "no", { detail: { status: code } });
}

class MemoryChunk implements Chunk {
  settled: number | null = null;
  constructor(readonly events: readonly TelemetryEvent[]) {}
  settle(count: number): Promise<void> {
    assert.equal(this.settled, null, "settled once");
    this.settled = count;
    return Promise.resolve();
  }
}

async function* of(chunks: readonly Chunk[]): AsyncGenerator<Chunk> {
  yield* chunks;
}

function stand() {
  const there = host();
  let asked = 0;
  const facts = {
    get: () => {
      asked++;
      return Promise.resolve(VM);
    },
  };
  const uploader = new Uploader({ host: there, facts });
  return { there, uploader, asked: () => asked };
}

const chunk = (...messages: string[]) => new MemoryChunk(messages.map(sampleEvent));
const BIG = "x".repeat(30_000);

Deno.test("Uploader.send() puts events of several chunks into one upload and settles each", async () => {
  const { there, uploader } = stand();
  const chunks = [chunk("a", "b"), new MemoryChunk([SAMPLE_STATUS]), chunk("c")];
  assert.equal(await uploader.send(of(chunks), SIGNAL), "sent");
  assert.deepEqual(there.accepted, [["a", "b", "c", "{}"]]);
  assert.deepEqual(chunks.map(({ settled }) => settled), [2, 1, 1]);
  assert.deepEqual(uploader.counts, { accepted: 4, refused: 0, uploads: 1, failures: 0 });
});

Deno.test("Uploader.send() asks the host nothing when nothing waits", async () => {
  const { uploader, asked } = stand();
  assert.equal(await uploader.send(of([]), SIGNAL), "nothing");
  assert.equal(asked(), 0);
});

Deno.test("Uploader.send() settles nothing when the host does not accept", async () => {
  for (
    const failure of [status(429), status(500), status(403), new AgentError("HOST_TIMEOUT", "t")]
  ) {
    const { there, uploader } = stand();
    for (let attempt = 0; attempt < 20; attempt++) {
      there.failures.push(failure);
      const waiting = chunk("a");
      assert.equal(await uploader.send(of([waiting]), SIGNAL), failure);
      assert.equal(waiting.settled, null);
    }
    const waiting = chunk("a");
    assert.equal(await uploader.send(of([waiting]), SIGNAL), "sent");
    assert.equal(waiting.settled, 1);
    assert.deepEqual(uploader.counts, { accepted: 1, refused: 0, uploads: 1, failures: 20 });
  }
});

Deno.test("Uploader.send() settles what was accepted before a failure, to the event", async () => {
  const { there, uploader } = stand();
  const chunks = [chunk("a"), chunk(BIG, BIG, BIG, "z"), chunk("c")];
  let uploads = 0;
  there.sendTelemetry = () => ++uploads === 2 ? Promise.reject(status(500)) : Promise.resolve();
  assert.ok(await uploader.send(of(chunks), SIGNAL) instanceof AgentError);
  assert.deepEqual(chunks.map(({ settled }) => settled), [1, 2, null]);
  assert.equal(uploader.counts.accepted, 3);
});

Deno.test("Uploader.send() finds the event that the host refuses, and gives up that one alone", async () => {
  for (const poison of [0, 1, 30, 59]) {
    const { there, uploader } = stand();
    let waiting: readonly TelemetryEvent[] = Array.from(
      { length: 60 },
      (_, i) => sampleEvent(i === poison ? "poison" : `${i}`),
    );
    const accept = there.sendTelemetry;
    there.sendTelemetry = (payload: Uint8Array) =>
      new TextDecoder().decode(payload).includes("poison")
        ? Promise.reject(status(400))
        : accept(payload);
    let rounds = 0;
    for (; waiting.length > 0; rounds++) {
      const rest = new MemoryChunk(waiting);
      await uploader.send(of([rest]), SIGNAL);
      waiting = waiting.slice(rest.settled ?? 0);
      assert.ok(rounds < 12, `${poison}: ends`);
    }
    assert.ok(rounds >= 5, `${poison}: ${rounds}`);
    assert.equal(uploader.counts.accepted, 59);
    assert.equal(uploader.counts.refused, 1);
    const whole = Array.from({ length: 60 }, (_, i) => `${i}`).filter((_, i) => i !== poison);
    assert.deepEqual(there.accepted.flat(), whole);
    // What comes next is sent together again.
    const next = chunk("x", "y", "z");
    assert.equal(await uploader.send(of([next]), SIGNAL), "sent");
    assert.deepEqual(there.accepted.at(-1), ["x", "y", "z"]);
  }
});

Deno.test("Uploader.send() tries an event five times before it gives it up, and no other status counts", async () => {
  for (const refusal of [400, 413, 415, 422]) {
    const { there, uploader } = stand();
    for (let attempt = 1; attempt < 5; attempt++) {
      there.failures.push(status(refusal), status(503));
      const waiting = chunk("a");
      assert.ok(await uploader.send(of([waiting]), SIGNAL) instanceof AgentError);
      assert.ok(await uploader.send(of([waiting]), SIGNAL) instanceof AgentError);
      assert.equal(waiting.settled, null);
    }
    there.failures.push(status(refusal));
    const waiting = chunk("a");
    assert.equal(await uploader.send(of([waiting]), SIGNAL), "sent");
    assert.deepEqual([waiting.settled, uploader.counts.refused], [1, 1]);
  }
});

Deno.test("Uploader.send() loses nothing to a host that refuses for a while", async () => {
  const { there, uploader } = stand();
  for (let attempt = 0; attempt < 4; attempt++) {
    there.failures.push(status(400));
    await uploader.send(of([chunk(..."abcdefghijklmnopqrstuvwxyz")]), SIGNAL);
  }
  const waiting = chunk(..."abcdefghijklmnopqrstuvwxyz");
  assert.equal(await uploader.send(of([waiting]), SIGNAL), "sent");
  assert.equal(waiting.settled, 26);
  assert.equal(there.accepted.flat().join(""), "abcdefghijklmnopqrstuvwxyz");
  assert.equal(uploader.counts.refused, 0);
  // It wants them all, so what comes next is sent together, and has its own five attempts.
  const next = chunk("x", "y", "z");
  assert.equal(await uploader.send(of([next]), SIGNAL), "sent");
  assert.deepEqual(there.accepted.at(-1), ["x", "y", "z"]);
  for (let attempt = 1; attempt < 5; attempt++) {
    there.failures.push(status(400));
    assert.ok(await uploader.send(of([chunk("a")]), SIGNAL) instanceof AgentError);
  }
});

Deno.test("Uploader.send() pauses between two uploads when something else is due", async () => {
  const { there, uploader } = stand();
  const chunks = [chunk(BIG), chunk(BIG, BIG, BIG, BIG), chunk("c")];
  assert.equal(await uploader.send(of(chunks), SIGNAL, () => there.accepted.length < 2), "paused");
  assert.deepEqual(chunks.map(({ settled }) => settled), [1, 3, null]);
  assert.equal(uploader.counts.accepted, 4);
});

Deno.test("Uploader.send() gives up an event that fits no upload, and counts it once", async () => {
  const { there, uploader } = stand();
  const giant = "x".repeat(70_000);
  there.failures.push(status(500));
  await uploader.send(of([chunk(giant, "a")]), SIGNAL);
  assert.equal(uploader.counts.refused, 0);
  const waiting = chunk(giant, "a");
  assert.equal(await uploader.send(of([waiting]), SIGNAL), "sent");
  assert.equal(waiting.settled, 2);
  assert.equal(uploader.counts.refused, 1);
  const alone = chunk(giant);
  assert.equal(await uploader.send(of([alone]), SIGNAL), "sent");
  assert.equal(alone.settled, 1);
  assert.equal(there.accepted.length, 1);
});

Deno.test("Uploader.send() lets go of a chunk without events", async () => {
  const { uploader, there } = stand();
  const empty = chunk();
  assert.equal(await uploader.send(of([empty]), SIGNAL), "sent");
  assert.equal(empty.settled, 0);
  assert.equal(there.accepted.length, 0);
});

Deno.test("Uploader.send() sends nothing while the host does not say what this machine is", async () => {
  const there = host();
  const failure = new AgentError("HOST_DOCUMENT", "read the goal state: no");
  const uploader = new Uploader({ host: there, facts: { get: () => Promise.reject(failure) } });
  const waiting = chunk("a");
  assert.equal(await uploader.send(of([waiting]), SIGNAL), failure);
  assert.equal(waiting.settled, null);
});

Deno.test("Uploader.send() does not hide a mistake of its own", async () => {
  const { there, uploader } = stand();
  there.sendTelemetry = () => Promise.reject(new TypeError("bug"));
  await assert.rejects(uploader.send(of([chunk("a")]), SIGNAL), TypeError);
});
