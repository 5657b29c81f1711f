import assert from "node:assert/strict";
import { callerFacts } from "../../../../src/agent/audit/caller_facts.ts";
import type { AuditEntry } from "../../../../src/agent/audit/mod.ts";
import {
  type Bucket,
  BUCKET_MS,
  makeTrack,
  OUTDATED_REST_MS,
  pathOf,
  Repetitions,
} from "../../../../src/agent/audit/repetitions.ts";
import { makeCaller, makeEntry } from "./entries.ts";

const trackOf = (entry: AuditEntry) => makeTrack(entry, callerFacts(entry.caller));

/** Whether a request after `first` counts as one more of its kind. */
function alike(first: AuditEntry, second: AuditEntry): boolean {
  const table = new Repetitions(() => {});
  const bucket = table.open(trackOf(first), first, 0);
  return table.find(trackOf(second), second, 1) === bucket;
}

Deno.test("pathOf() is everything before the first question mark", () => {
  assert.equal(pathOf("/a/b?c=d?e"), "/a/b");
  assert.equal(pathOf("/a/b"), "/a/b");
});

Deno.test("Repetitions.find() takes requests alike on other connections for the same kind", () => {
  assert.ok(alike(makeEntry(), makeEntry()));
  assert.ok(alike(makeEntry(), makeEntry({ target: "/metadata/instance?other=query" })));
});

Deno.test("Repetitions.find() keeps apart what differs in anything that matters", () => {
  const base = makeEntry();
  const record = base.caller?.record;
  const others: Partial<AuditEntry>[] = [
    { method: "PUT" },
    { target: "/metadata/instanc" },
    { target: "/metadata/instance/" },
    { target: "/Metadata/instance" },
    { status: 404 },
    { decision: "flag" },
    { reason: "not-elevated" },
    { destination: { address: "168.63.129.16", port: 80 } },
    { destination: { address: "169.254.169.254", port: 32526 } },
    { destination: null },
    { client: { address: "10.0.0.4", port: 1 } },
    { caller: null },
    { caller: makeCaller({ commandLine: "wget" }) },
    { caller: makeCaller({ exe: { kind: "verified", path: "/usr/bin/wget" } }) },
    {
      caller: makeCaller({
        exe: { kind: "unverified", shownPath: "/usr/bin/curl", doubt: "process-gone" },
      }),
    },
    { caller: makeCaller({ record: { uid: 1001 } }) },
    { caller: makeCaller({ account: null }) },
  ];
  assert.ok(record !== undefined);
  for (const other of others) {
    assert.equal(alike(base, makeEntry(other)), false, JSON.stringify(Object.keys(other)));
  }
});

Deno.test("Repetitions.find() does not let a zero byte in a path imitate another kind", () => {
  const tricky = makeEntry({ target: "/a\x00GET\x00200\x00allow\x00null\x00/b" });
  assert.equal(alike(tricky, makeEntry({ target: "/b" })), false);
});

Deno.test("Repetitions.find() keeps long paths apart that begin alike", () => {
  const path = "/" + "a".repeat(60_000);
  assert.ok(alike(makeEntry({ target: `${path}x` }), makeEntry({ target: `${path}x?q` })));
  assert.equal(alike(makeEntry({ target: `${path}x` }), makeEntry({ target: `${path}y` })), false);
});

Deno.test("Repetitions does not keep long targets in its keys", () => {
  const entry = makeEntry({ target: "/" + "a".repeat(60_000) });
  const bucket = new Repetitions(() => {}).open(trackOf(entry), entry, 0);
  assert.ok(bucket.key.length < 1000);
  assert.match(bucket.key.slice(bucket.pathAt), /^\/a{511}#[0-9a-f]{64}$/);
});

Deno.test("Repetitions.find() ends a bucket after 15 minutes, once", () => {
  const closed: string[] = [];
  const table = new Repetitions((_, why) => closed.push(why));
  const entry = makeEntry();
  const track = trackOf(entry);
  const bucket = table.open(track, entry, 1000);
  assert.equal(table.find(track, entry, 1000 + BUCKET_MS - 1), bucket);
  assert.equal(table.find(track, entry, 1000 + BUCKET_MS), null);
  assert.equal(table.find(track, entry, 1000 + BUCKET_MS), null);
  assert.deepEqual(closed, ["ended"]);
  assert.equal(bucket.live, false);
});

Deno.test("Repetitions.open() makes room by closing the bucket that was unused the longest", () => {
  const closed: [string, string][] = [];
  const table = new Repetitions(
    (bucket, why) => closed.push([bucket.key.slice(bucket.pathAt), why]),
    2,
  );
  const [a, b, c] = ["/a", "/b", "/c"].map((target) => makeEntry({ target })) as [
    AuditEntry,
    AuditEntry,
    AuditEntry,
  ];
  const track = trackOf(a);
  const bucket = table.open(track, a, 0);
  table.open(track, b, 10);
  table.find(track, a, 2000);
  table.open(track, c, 2001);
  assert.deepEqual(closed, [["/b", "evicted"]]);
  assert.equal(table.find(track, a, 2002), bucket);
  assert.equal(table.find(track, b, 2003), null, "the index must not resurrect it");
  assert.equal(table.size, 2);
});

Deno.test("Repetitions stays bounded under a flood of kinds, and closes each bucket exactly once", () => {
  const closed = new Set<Bucket>();
  const table = new Repetitions((bucket) => {
    assert.ok(!closed.has(bucket));
    closed.add(bucket);
  }, 50);
  const entry = makeEntry();
  const track = trackOf(entry);
  for (let i = 0; i < 2000; i++) {
    const one = makeEntry({ target: `/${i % 300}`, status: 200 + i % 7, caller: entry.caller });
    if (table.find(track, one, i) === null) table.open(track, one, i);
    assert.ok(table.size <= 50);
    assert.ok(track.byPath.size <= 32);
  }
  table.closeAll();
  assert.equal(table.size, 0);
  assert.ok(closed.size > 50);
});

Deno.test("Repetitions.sweep() closes what is over, no more than asked for at a time", () => {
  let closed = 0;
  const table = new Repetitions(() => closed++);
  const track = trackOf(makeEntry());
  for (let i = 0; i < 10; i++) table.open(track, makeEntry({ target: `/${i}` }), i);
  table.sweep(BUCKET_MS - 1, 100);
  assert.equal(closed, 0);
  table.sweep(BUCKET_MS + 6, 4);
  assert.equal(closed, 4);
  table.sweep(BUCKET_MS + 6, 100);
  assert.equal(closed, 7);
});

Deno.test("Repetitions.sweep() closes the buckets of a replaced policy once they rest, and no others", () => {
  const closed: [number, string][] = [];
  const table = new Repetitions((bucket, why) => closed.push([bucket.first.policyEpoch, why]));
  const [first, second] = [7, 8].map((policyEpoch) => makeEntry({ policyEpoch })) as [
    AuditEntry,
    AuditEntry,
  ];
  const track = trackOf(first);
  const bucket = table.open(track, first, 0);
  table.sweep(OUTDATED_REST_MS, 100);
  assert.deepEqual(closed, [], "while no newer policy has decided anything");
  table.open(track, second, 1_000);
  bucket.lastMs = 1_000;
  table.sweep(1_000 + OUTDATED_REST_MS - 1, 100);
  assert.deepEqual(closed, [], "while it may still be counted in");
  table.sweep(1_000 + OUTDATED_REST_MS, 100);
  assert.deepEqual(closed, [[7, "ended"]]);
  assert.equal(bucket.live, false);
  table.sweep(BUCKET_MS, 100);
  assert.equal(table.size, 1);
});
