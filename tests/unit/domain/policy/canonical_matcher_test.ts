import assert from "node:assert/strict";
import { canonicalize } from "../../../../src/domain/canonical/mod.ts";
import {
  canonicalMatch,
  canonicalPattern,
  type PatternMatch,
} from "../../../../src/domain/policy/canonical_matcher.ts";
import { lowerPrivilege } from "../../../../src/domain/policy/legacy_matcher.ts";

function patternOf(path: string, parameters: Record<string, string> | null) {
  const queryParameters = parameters === null ? null : new Map(Object.entries(parameters));
  return canonicalPattern(lowerPrivilege({ name: "p", path, queryParameters }));
}

function match(
  path: string,
  parameters: Record<string, string> | null,
  target: string,
): PatternMatch {
  const pattern = patternOf(path, parameters);
  const request = canonicalize({ method: "GET", target });
  assert.ok(pattern.ok && request.ok);
  return canonicalMatch(pattern.value, request.value);
}

Deno.test("canonicalPattern() canonicalises path, keys and values, each by itself", () => {
  const pattern = patternOf("Metadata/./X/../Instance/", { "A%3DB": "c&d=e", k: "a+b", l: "%41" });
  assert.ok(pattern.ok);
  assert.deepEqual(pattern.value.segments, ["", "metadata", "instance"]);
  assert.deepEqual(
    [...pattern.value.constraints],
    [["a=b", "c&d=e"], ["k", "a b"], ["l", "a"]],
  );
  const root = patternOf("", null);
  assert.ok(root.ok && root.value.segments.length === 1 && root.value.constraints.size === 0);
});

Deno.test("canonicalPattern() says why a privilege has none", () => {
  const faults = [
    ["/x%C0%AF", null, "CANON_UTF8"],
    ["/x?y", null, "CANON_EMBQ"],
    ["/..", null, "CANON_UNDERFLOW"],
    ["/caf\u00e9", null, "CANON_NON_ASCII"],
    ["/x", { "%": "v" }, "CANON_PCT"],
    ["/x", { k: "\u0001" }, "CANON_CTRL"],
    ["/x", { "": "v" }, "EMPTY_KEY"],
    ["/x", { "%6b": "1", k: "1" }, "REPEATED_KEY"],
  ] as const;
  for (const [path, parameters, expected] of faults) {
    const pattern = patternOf(path, parameters);
    assert.equal(pattern.ok ? "a pattern" : pattern.error, expected, path);
  }
});

Deno.test("canonicalMatch() compares whole segments", () => {
  assert.equal(match("/metadata/instance", null, "/Metadata/%49nstance/compute"), "grants");
  assert.equal(match("/metadata/instance/", null, "/metadata/instance"), "grants");
  assert.equal(match("/metadata/instance", null, "/metadata/instances"), "none");
  assert.equal(match("/metadata/instance", null, "/metadata"), "none");
  assert.equal(match("/", null, "/anything"), "grants");
});

Deno.test("canonicalMatch() demands each key once, with its value", () => {
  const rule = ["/m", { comp: "goalstate", k: "" }] as const;
  assert.equal(match(...rule, "/m?k&COMP=GoalState&x=1"), "grants");
  assert.equal(match(...rule, "/m?comp=goalstate"), "none");
  assert.equal(match(...rule, "/m?k&comp=other"), "none");
  assert.equal(match(...rule, "/m?k&comp=goalstate&comp=goalstate"), "restricts");
  assert.equal(match(...rule, "/m?k&comp=other&c%6Fmp=another"), "restricts");
  assert.equal(match(...rule, "/m?k=1&comp=goalstate&comp=goalstate"), "none");
});
