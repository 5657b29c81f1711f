import assert from "node:assert/strict";
import { DecisionFeed } from "../../../../src/agent/control/mod.ts";
import { makeEntry } from "../audit/entries.ts";

/** Reads lines as values, one after the other. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #lines: string[] = [];

  constructor(stream: ReadableStream<Uint8Array> | null) {
    assert.ok(stream !== null);
    this.#reader = stream.getReader();
  }
  async next(): Promise<Record<string, unknown> | null> {
    while (this.#lines.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#lines = new TextDecoder().decode(value).split("\n").filter((line) => line !== "");
    }
    return JSON.parse(this.#lines.shift()!);
  }
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

const newFeed = () => new DecisionFeed((text) => text);

Deno.test("DecisionFeed.read() gives each reader every decision from then on, in order", async () => {
  const feed = newFeed();
  const first = new Lines(feed.read());
  assert.equal((await first.next())?.["kind"], "watching");
  feed.push(makeEntry({ requestId: 1 }), 10);
  const second = new Lines(feed.read());
  await second.next();
  feed.push(makeEntry({ requestId: 2 }), 20);
  assert.equal((await first.next())?.["id"], 1);
  const line = await first.next();
  assert.deepEqual([line?.["id"], line?.["wallMs"]], [2, 20]);
  assert.equal((await second.next())?.["id"], 2);
  const waited = first.next();
  feed.push(makeEntry({ requestId: 3 }), 30);
  assert.equal((await waited)?.["id"], 3);
  await first.cancel();
  await second.cancel();
  assert.equal(feed.readers, 0);
});

Deno.test("DecisionFeed.push() drops and counts a reader that does not read, and keeps nothing for it", async () => {
  const feed = newFeed();
  const slow = new Lines(feed.read());
  const quick = new Lines(feed.read());
  await quick.next();
  for (let id = 1; id <= 9_000; id++) {
    feed.push(makeEntry({ requestId: id }), 0);
    assert.equal((await quick.next())?.["id"], id);
  }
  assert.equal(feed.dropped, 1);
  assert.equal(feed.readers, 1);
  assert.equal(feed.waiting, 0);
  assert.equal((await slow.next())?.["kind"], "watching");
  assert.equal((await slow.next())?.["kind"], "dropped");
  assert.equal(await slow.next(), null);
  await quick.cancel();
});

Deno.test("DecisionFeed.read() takes eight readers, and one more when one has gone", async () => {
  const feed = newFeed();
  const readers = Array.from({ length: 8 }, () => new Lines(feed.read()));
  assert.equal(feed.read(), null);
  for (let id = 0; id < 8_193; id++) feed.push(makeEntry(), 0);
  assert.equal(feed.dropped, 8);
  // Dropped, but their connections are still open.
  assert.equal(feed.read(), null);
  await readers[0]!.cancel();
  const late = feed.read();
  assert.ok(late !== null);
  await late.cancel();
  for (const reader of readers.slice(1)) await reader.cancel();
});

Deno.test("DecisionFeed.close() ends every stream, and there are no new ones", async () => {
  const feed = newFeed();
  const reader = new Lines(feed.read());
  await reader.next();
  const last = reader.next();
  feed.close();
  assert.equal((await last)?.["kind"], "stopping");
  assert.equal(await reader.next(), null);
  assert.equal(feed.read(), null);
});
