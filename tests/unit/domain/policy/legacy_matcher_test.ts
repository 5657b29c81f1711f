import assert from "node:assert/strict";
import {
  legacyMatches,
  LegacyRequest,
  lowerPrivilege,
} from "../../../../src/domain/policy/legacy_matcher.ts";
import { splitTarget } from "../../../../src/domain/canonical/mod.ts";

function request(target: string): LegacyRequest {
  return new LegacyRequest(splitTarget(target));
}

function matches(path: string, parameters: Record<string, string> | null, target: string): boolean {
  const queryParameters = parameters === null ? null : new Map(Object.entries(parameters));
  return legacyMatches(lowerPrivilege({ name: "p", path, queryParameters }), request(target));
}

Deno.test("LegacyRequest decodes the path once, lossily, and puts it into lower case", () => {
  assert.equal(request("/A%42%2Fc%252F%zz%C3%89%80?Q=%41").path, "/ab/c%2f%zz\u00e9\ufffd");
  assert.equal(request("/x%3FA=%2541&b").path, "/x");
});

Deno.test("LegacyRequest keeps the first value of each key, those behind an escaped mark last", () => {
  const values = (target: string) =>
    Object.fromEntries([...request(target).values()].map(([key, [value]]) => [key, value]));
  assert.deepEqual(values("/?A=1&a=2&b&=x&&c=%3D%26=&B=3"), { a: "1", b: "", c: "=&=" });
  assert.deepEqual(values("/x%3Fa=9%26d=%2541?a=1"), { a: "1", d: "a" });
  assert.deepEqual(values("/x%3Fa=9"), { a: "9" });
  assert.deepEqual(values("/x"), {});
  assert.deepEqual(values("/?a+b=c+d"), { "a+b": "c+d" });
  const once = request("/?a=1");
  assert.equal(once.values(), once.values());
});

Deno.test("legacyMatches() takes the rule path as the beginning of a text", () => {
  assert.ok(matches("/Metadata/Instance", null, "/metadata/INSTANCES?x"));
  assert.ok(matches("", null, "/anything"));
  assert.ok(!matches("/metadata/instance/", null, "/metadata/instance"));
  assert.ok(!matches("metadata", null, "/metadata"));
  assert.ok(!matches("/a?b", null, "/a%3Fb"));
  assert.ok(!matches("/a%2Fb", null, "/a/b"));
});

Deno.test("legacyMatches() demands the first value of every key", () => {
  const parameters = { Comp: "GoalState", x: "" };
  assert.ok(matches("/m", parameters, "/m?x&y=1&COMP=goalstate"));
  assert.ok(matches("/m", parameters, "/m?comp=goalstate&comp=other&x="));
  assert.ok(!matches("/m", parameters, "/m?comp=other&comp=goalstate&x="));
  assert.ok(!matches("/m", parameters, "/m?comp=goalstate"));
  assert.ok(!matches("/m", { "": "v" }, "/m?=v"));
  assert.ok(matches("/m", {}, "/m"));
  assert.ok(!matches("/m", { k: "%41" }, "/m?k=A"));
});

Deno.test("lowerPrivilege() lets the last of two keys count that become equal", () => {
  const { queryParameters } = lowerPrivilege({
    name: "p",
    path: "/",
    queryParameters: new Map([["K", "1"], ["k", "2"]]),
  });
  assert.deepEqual([...queryParameters!], [["k", "2"]]);
});
