import assert from "node:assert/strict";
import { decisionLine, lineText } from "../../../../src/agent/control/decision_line.ts";
import { makeCaller, makeDenial, makeEntry } from "../audit/entries.ts";

const asIs = (text: string) => text;

Deno.test("decisionLine() tells who asked for what, and what came of it", () => {
  const line = decisionLine(
    makeDenial({ ruleSetId: "r", privilege: "p", identity: "i", detail: "no" }),
    1_000,
    asIs,
  );
  assert.deepEqual(line, {
    kind: "decision",
    wallMs: 1_000,
    id: 1,
    endpoint: "imds",
    method: "GET",
    target: "/metadata/instance?api-version=2021-02-01",
    verdict: "deny",
    reason: "not-elevated",
    detail: "no",
    mode: "enforce",
    status: 403,
    signed: false,
    elapsedUs: 1235,
    policyEpoch: 7,
    ruleSetId: "r",
    privilege: "p",
    identity: "i",
    uid: 1000,
    user: "azureuser",
    pid: 4242,
    exe: "/usr/bin/curl",
    exeVerified: true,
  });
});

Deno.test("decisionLine() has nothing of a caller that is not known, and cuts what is long", () => {
  const none = decisionLine(makeEntry({ caller: null }), 0, asIs);
  assert.deepEqual(
    [none.uid, none.user, none.pid, none.exe, none.exeVerified],
    [null, null, null, null, null],
  );
  const long = decisionLine(makeEntry({ target: `/${"a".repeat(9_000)}` }), 0, asIs);
  assert.equal(long.target.length, 1_027);
  const exe = { kind: "unverified", shownPath: "/x".repeat(500), doubt: "process-gone" } as const;
  const doubted = decisionLine(makeEntry({ caller: makeCaller({ exe }) }), 0, asIs);
  assert.equal(doubted.exeVerified, false);
  assert.equal(doubted.exe?.length, 259);
});

Deno.test("decisionLine() knows a secret that the cut goes through", () => {
  const redact = (text: string) => text.replaceAll("SECRET", "*");
  const line = decisionLine(
    makeEntry({ target: `${"x".repeat(1_020)}SECRET`, detail: `${"y".repeat(252)}SECRET` }),
    0,
    redact,
  );
  assert.ok(line.target.endsWith("x*") && line.detail.endsWith("y*"));
});

Deno.test("decisionLine() redacts target and detail", () => {
  const redact = (text: string) => text.replaceAll("SECRET", "*");
  const line = decisionLine(makeEntry({ target: "/?sig=SECRET", detail: "SECRET" }), 0, redact);
  assert.equal(line.target, "/?sig=*");
  assert.equal(line.detail, "*");
});

Deno.test("lineText() is one line whatever is in it", () => {
  const text = lineText({ a: "x\n\u001b[2J\u202e\u2028" });
  assert.equal(text.split("\n").length, 2);
  assert.ok(/^[\x20-\x7e]*\n$/.test(text), text);
  assert.deepEqual(JSON.parse(text), { a: "x\n\u001b[2J\u202e\u2028" });
});
