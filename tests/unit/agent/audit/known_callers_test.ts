import assert from "node:assert/strict";
import { KnownCallers } from "../../../../src/agent/audit/known_callers.ts";
import type { Caller, ExeProof, RedactedText } from "../../../../src/domain/identity/caller.ts";
import { makeCaller, makeEntry, makeRecord } from "./entries.ts";

const EXE: ExeProof = Object.freeze({ kind: "verified", path: "/usr/bin/curl" });
const FIRST = makeCaller({ exe: EXE });

/** The caller on another connection of the same process. */
function again(overrides: Partial<Caller> = {}): Caller {
  return { ...FIRST, record: makeRecord(), ...overrides };
}

Deno.test("KnownCallers.of() keeps one thing for all connections of a process", () => {
  const callers = new KnownCallers();
  const known = callers.of(makeEntry({ caller: FIRST }));
  assert.equal(callers.of(makeEntry({ caller: again() })), known);
  assert.equal(callers.of(makeEntry({ caller: again() })), known);
});

Deno.test("KnownCallers.of() finds callers alike that share no object", () => {
  const callers = new KnownCallers();
  const known = callers.of(makeEntry({ caller: makeCaller() }));
  assert.equal(callers.of(makeEntry({ caller: makeCaller() })), known);
});

Deno.test("KnownCallers.of() tells callers of one executable apart by everything that their key has", () => {
  const callers = new KnownCallers();
  const known = callers.of(makeEntry({ caller: FIRST }));
  const others = [
    makeEntry({ caller: again({ record: makeRecord({ uid: 1001 }) }) }),
    makeEntry({ caller: again({ account: { userName: "other", groups: [] } }) }),
    makeEntry({ caller: again({ account: null }) }),
    makeEntry({ caller: again({ commandLine: "curl -s http://x/" as RedactedText }) }),
    makeEntry({ caller: again(), client: { address: "10.0.0.4", port: 1 } }),
    makeEntry({ caller: again(), destination: { address: "168.63.129.16", port: 80 } }),
    makeEntry({ caller: again(), destination: { address: "169.254.169.254", port: 81 } }),
    makeEntry({ caller: again(), destination: null }),
  ];
  const found = others.map((entry) => callers.of(entry));
  assert.equal(new Set([known, ...found]).size, others.length + 1);
  others.forEach((entry, index) => assert.equal(callers.of(entry), found[index]));
});

Deno.test("KnownCallers.of() tells executables apart that are the same but for the proof", () => {
  const callers = new KnownCallers();
  const exe: ExeProof = { kind: "unverified", shownPath: "/usr/bin/curl", doubt: "process-gone" };
  const known = callers.of(makeEntry({ caller: FIRST }));
  assert.notEqual(callers.of(makeEntry({ caller: again({ exe }) })), known);
});

Deno.test("KnownCallers.of() stays right for a process that acts as more kinds than it remembers", () => {
  const callers = new KnownCallers();
  const entryOf = (uid: number) => makeEntry({ caller: again({ record: makeRecord({ uid }) }) });
  const first = Array.from({ length: 20 }, (_, uid) => callers.of(entryOf(uid)));
  const second = Array.from({ length: 20 }, (_, uid) => callers.of(entryOf(uid)));
  assert.deepEqual(second, first);
  assert.equal(new Set(first).size, 20);
  second.forEach((known, uid) => assert.equal(known, first[uid]));
});

Deno.test("KnownCallers.of() keeps one thing for all requests without a caller to one place", () => {
  const callers = new KnownCallers();
  const known = callers.of(makeEntry({ caller: null }));
  assert.equal(callers.of(makeEntry({ caller: null })), known);
  assert.equal(known.facts.uid, null);
});
