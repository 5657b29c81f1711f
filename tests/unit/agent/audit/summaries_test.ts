import assert from "node:assert/strict";
import { callerFacts } from "../../../../src/agent/audit/caller_facts.ts";
import type { AuditEntry } from "../../../../src/agent/audit/mod.ts";
import { makeTrack } from "../../../../src/agent/audit/repetitions.ts";
import { countIn, SummaryTable } from "../../../../src/agent/audit/summaries.ts";
import { makeCaller, makeEntry } from "./entries.ts";

const MINUTE = 60_000;

function count(table: SummaryTable, entry: AuditEntry, nowMs: number, status = entry.status) {
  countIn(table.slot(makeTrack(entry, callerFacts(entry.caller)), entry, status, nowMs), nowMs);
}

Deno.test("SummaryTable.list() has one entry for each caller, destination and status", () => {
  const table = new SummaryTable();
  count(table, makeEntry(), 0);
  count(table, makeEntry({ target: "/other", method: "PUT" }), 1);
  count(table, makeEntry({ status: 404 }), 2);
  assert.deepEqual(table.list(3), [
    {
      userName: "azureuser",
      ip: "169.254.169.254",
      port: 80,
      processCmdLine: "curl -s http://169.254.169.254/",
      responseStatus: "200 OK",
      count: 2,
      userGroups: ["azureuser", "docker"],
      processFullPath: "/usr/bin/curl",
    },
    {
      userName: "azureuser",
      ip: "169.254.169.254",
      port: 80,
      processCmdLine: "curl -s http://169.254.169.254/",
      responseStatus: "404 Not Found",
      count: 1,
      userGroups: ["azureuser", "docker"],
      processFullPath: "/usr/bin/curl",
    },
  ]);
});

Deno.test("SummaryTable.list() has the contract's values for nobody without caller", () => {
  const table = new SummaryTable();
  count(table, makeEntry({ caller: null, status: 421 }), 0);
  assert.deepEqual(table.list(0), [{
    userName: "empty",
    ip: "None",
    port: 0,
    processCmdLine: "empty",
    responseStatus: "421 Misdirected Request",
    count: 1,
    userGroups: [],
    processFullPath: "empty",
  }]);
});

Deno.test("SummaryTable.list() forgets buckets of 15 minutes after 4 hours", () => {
  const table = new SummaryTable();
  count(table, makeEntry(), 0);
  count(table, makeEntry(), 14 * MINUTE);
  count(table, makeEntry(), 15 * MINUTE);
  assert.equal(table.list(240 * MINUTE - 1)[0]?.count, 3);
  assert.equal(table.list(240 * MINUTE)[0]?.count, 1);
  assert.deepEqual(table.list(255 * MINUTE), []);
});

Deno.test("SummaryTable keeps no more buckets than fit four hours", () => {
  const table = new SummaryTable();
  const entry = makeEntry();
  const slot = table.slot(makeTrack(entry, callerFacts(entry.caller)), entry, 200, 0);
  for (let i = 0; i < 1000; i++) countIn(slot, i * 15 * MINUTE);
  assert.ok(slot.buckets.length <= 17);
});

Deno.test("SummaryTable counts what finds no room in one entry called `other`", () => {
  const table = new SummaryTable(3);
  for (let i = 0; i < 8; i++) {
    count(table, makeEntry({ caller: makeCaller({ commandLine: `cmd ${i}` }) }), i);
  }
  const list = table.list(10);
  assert.equal(list.length, 4);
  assert.deepEqual(
    { ...list[3], userGroups: null },
    {
      userName: "other",
      ip: "None",
      port: 0,
      processCmdLine: "other",
      responseStatus: "other",
      count: 5,
      userGroups: null,
      processFullPath: "other",
    },
  );
});

Deno.test("SummaryTable makes room when entries ran out", () => {
  const table = new SummaryTable(1);
  count(table, makeEntry(), 0);
  count(table, makeEntry({ status: 404 }), 240 * MINUTE);
  const list = table.list(240 * MINUTE);
  assert.deepEqual(list.map((entry) => entry.responseStatus), ["404 Not Found"]);
});
