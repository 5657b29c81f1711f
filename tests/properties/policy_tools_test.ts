import assert from "node:assert/strict";
import fc from "fast-check";
import { parseStrictJson } from "../../src/domain/wire/mod.ts";
import { readAuditLine } from "../../src/operator/policy_tools/audit_line.ts";
import { BatchAnswerer } from "../../src/operator/policy_tools/batch.ts";
import { memberTexts } from "../../src/operator/policy_tools/batch_line.ts";
import { Observations } from "../../src/operator/policy_tools/observations.ts";
import { suggestRules } from "../../src/operator/policy_tools/suggest.ts";
import { SuggestReplay } from "../../src/operator/policy_tools/suggest_replay.ts";
import { auditLine, callerOf } from "../unit/operator/policy_tools/samples.ts";
import { check } from "./check.ts";

/** JSON and what is nearly JSON: one character taken out, put in or changed. */
const nearlyJson = fc.tuple(
  fc.json({ maxDepth: 4 }),
  fc.nat(),
  fc.constantFrom("", '"', "{", "}", "[", "]", ",", ":", "\\", " ", "1", "é"),
  fc.nat(1),
).map(([text, place, change, removed]) => {
  const at = place % (text.length + 1);
  return text.slice(0, at) + change + text.slice(at + removed);
});

Deno.test("memberTexts() with values that are JSON is JSON, member by member", () => {
  check(
    fc.property(nearlyJson, (text) => {
      const members = memberTexts(text);
      const whole = parseStrictJson(text);
      const isJson = members.ok &&
        [...members.value.values()].every((value) => parseStrictJson(value).ok);
      if (isJson) assert.ok(whole.ok, text);
      // The other way round, names with escapes are refused.
      if (whole.ok && whole.value instanceof Map && !text.includes("\\")) {
        assert.ok(isJson, text);
        assert.deepEqual([...members.value.keys()], [...whole.value.keys()]);
      }
    }),
    5_000,
  );
});

Deno.test("BatchAnswerer.answer() answers any line with one line of JSON", () => {
  const answerer = new BatchAnswerer("shadow");
  const line = fc.record({
    item: fc.oneof(
      fc.constant(null),
      fc.constant({ defaultAccess: "allow", mode: "enforce", id: "x" }),
      fc.jsonValue(),
    ),
    endpoint: fc.oneof(fc.constantFrom("imds", "wireserver", "hostga"), fc.string()),
    method: fc.oneof(fc.constant("GET"), fc.string({ unit: "binary" })),
    target: fc.string({ unit: "binary" }),
    caller: fc.oneof(fc.constant({}), fc.jsonValue()),
  }, { requiredKeys: [] }).map((value) => JSON.stringify(value));
  check(
    fc.property(fc.oneof(line, nearlyJson, fc.string({ unit: "binary" })), (text) => {
      const answer = answerer.answer(text);
      assert.ok(!answer.includes("\n"));
      const keys = Object.keys(JSON.parse(answer)).join();
      assert.ok(
        keys === "error" || keys === "compat,canonical,verdict,reason,privilege,identity",
        answer,
      );
    }),
    5_000,
  );
});

/** Targets that share paths, parameters and values often. */
const target = fc.tuple(
  fc.array(fc.constantFrom("a", "B", "ab", "a%20b", "c.d", "x+y", "%41"), { maxLength: 3 }),
  fc.constantFrom("", "/"),
  fc.array(
    fc.tuple(fc.constantFrom("k", "K", "m"), fc.constantFrom("1", "2", "a%2Bb", "a+b", "")),
    { maxLength: 3 },
  ),
).map(([segments, end, pairs]) =>
  `/${segments.join("/")}${segments.length > 0 ? end : ""}` +
  (pairs.length === 0 ? "" : `?${pairs.map(([key, value]) => `${key}=${value}`).join("&")}`)
);

Deno.test("suggestRules() allows all of any log, and nothing round it", () => {
  const request = fc.record({
    target,
    user: fc.constantFrom("u", "v"),
    exe: fc.constantFrom("/usr/bin/x", "/usr/bin/y"),
  });
  check(
    fc.property(fc.array(request, { minLength: 1, maxLength: 12 }), (requests) => {
      const lines = requests.map(({ target, user, exe }) =>
        readAuditLine(auditLine({ target, caller: callerOf(user, exe) }))
      );
      const observations = new Observations(false);
      for (const line of lines) observations.add(line);
      const suggestion = suggestRules(observations, "enforce");
      const replay = new SuggestReplay(suggestion, false);
      for (const line of lines) replay.add(line);
      const report = replay.finish();
      assert.deepEqual([report.refused, report.wrong], [[], []]);
      assert.equal(report.allowed + report.ungranted, report.replayed);
      assert.equal(report.neighboursRefused, report.neighbours);
    }),
    300,
  );
});
