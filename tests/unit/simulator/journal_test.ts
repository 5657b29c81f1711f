import assert from "node:assert/strict";
import { Journal, journalLine, KeyRing } from "../../../src/simulator/mod.ts";
import { sampleHostRequest } from "../../fakes/sample_host_request.ts";

const entry = (target = "/x") => ({
  request: sampleHostRequest({ target }),
  need: "required" as const,
  verdict: { kind: "unsigned" } as const,
  status: 200,
  fault: null,
});

Deno.test("read() returns what came after, oldest first, in portions", () => {
  const journal = new Journal(10);
  for (let number = 1; number <= 5; number++) journal.add(entry(`/${number}`));
  const seqs = (since: number, limit: number) => journal.read(since, limit).map((line) => line.seq);
  assert.deepEqual(seqs(0, 100), [1, 2, 3, 4, 5]);
  assert.deepEqual(seqs(2, 2), [3, 4]);
  assert.deepEqual(seqs(5, 2), []);
  assert.deepEqual(seqs(99, 2), []);
  assert.equal(journal.read(3, 1)[0]?.request.target, "/4");
});

Deno.test("add() lets the oldest give way", () => {
  const journal = new Journal(3);
  for (let number = 0; number < 8; number++) journal.add(entry());
  assert.deepEqual(journal.read(0, 100).map((line) => line.seq), [6, 7, 8]);
  assert.equal(journal.length, 3);
  assert.equal(journal.nextSeq, 9);
});

Deno.test("clear() drops all and goes on counting", () => {
  const journal = new Journal(3);
  for (let number = 0; number < 5; number++) journal.add(entry());
  journal.clear();
  assert.equal(journal.length, 0);
  assert.deepEqual(journal.read(0, 10), []);
  journal.add(entry());
  assert.deepEqual(journal.read(0, 10).map((line) => line.seq), [6]);
});

Deno.test("journalLine() shows everything but secrets", () => {
  const keys = new KeyRing((count) => new Uint8Array(count).fill(7), 0);
  const key = keys.offer(0);
  const request = sampleHostRequest({
    key,
    isRoot: true,
    method: "POST",
    body: "body text",
    headers: [["authorization", "Bearer abc"], ["cookie", "c=d"], ["x-plain", "shown"]],
  });
  const signature = request.field("x-ms-azure-host-authorization")!;
  const line = journalLine({
    seq: 4,
    request,
    need: "required",
    verdict: { kind: "signed", guid: key.guid, standing: "latched" },
    status: 200,
    fault: "slow",
  });
  const text = JSON.stringify(line);
  for (const secret of [signature.split(" ")[2]!, "Bearer", "c=d", key.hex, "body text"]) {
    assert.ok(!text.includes(secret), secret);
  }
  assert.deepEqual({ ...line, headers: undefined }, {
    seq: 4,
    time: "2026-01-06T07:08:09.000Z",
    endpoint: "imds",
    peer: "127.0.0.1:4000",
    method: "POST",
    target: "/metadata/instance?api-version=2021-02-01",
    version: "1.1",
    headers: undefined,
    signature: "required",
    verdict: "signed",
    reason: null,
    keyGuid: key.guid,
    key: "latched",
    isRoot: true,
    bodyBytes: 9,
    status: 200,
    fault: "slow",
  });
  assert.deepEqual(line.headers.find((field) => field[0] === "x-plain"), ["x-plain", "shown"]);
});

Deno.test("journalLine() gives the reason of a bad signature", () => {
  const verdict = { kind: "bad", guid: null, reason: "date-missing" } as const;
  const line = journalLine({ ...entry(), seq: 1, verdict });
  assert.deepEqual([line.verdict, line.reason, line.keyGuid, line.key], [
    "bad",
    "date-missing",
    null,
    null,
  ]);
});
