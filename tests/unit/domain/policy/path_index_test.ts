import assert from "node:assert/strict";
import { CallerClasses, GrantNode, Scan } from "../../../../src/domain/policy/grant_tree.ts";
import { IdentityIndex } from "../../../../src/domain/policy/identity_index.ts";
import { Members } from "../../../../src/domain/policy/members.ts";
import { PathIndex, pathOf } from "../../../../src/domain/policy/path_index.ts";
import { sampleClaims } from "./rule_samples.ts";

const NOBODY = new Members(new Set(), new Map());
const NO_QUERY = { values: () => new Map<string, readonly string[]>() };

/** A scan that notes each privilege that it is shown. */
class NotingScan extends Scan {
  readonly seen: string[] = [];

  constructor() {
    super(new CallerClasses(new IdentityIndex("unix"), sampleClaims()));
    Object.defineProperty(this, "refusedBy", {
      get: () => null,
      set: (privilege: string) => this.seen.push(privilege),
    });
  }
}

function indexOf(paths: readonly string[], which: "legacy" | "canonical"): PathIndex {
  const index = new PathIndex();
  for (const path of paths) {
    const slot = index.at(path);
    slot[which] ??= new GrantNode();
    slot[which].end(path, NOBODY);
  }
  return index;
}

const PATHS = [
  "",
  "/a",
  "/ab",
  "/abc",
  "/abd",
  "/a/b",
  "/a/b/c",
  "/b",
  "x",
  "/\u00e9",
  "/\u{1f600}",
];

Deno.test("PathIndex.visitLegacy() sees every rule path that the request's path starts with", () => {
  for (const order of [PATHS, [...PATHS].reverse()]) {
    const index = indexOf(order, "legacy");
    for (
      const path of [...PATHS, "/abcd", "/a/b/", "/a/bc", "/c", "/\u00e9/x", "/\u{1f601}", "/aB"]
    ) {
      const scan = new NotingScan();
      index.visitLegacy(path, NO_QUERY, scan);
      const expected = PATHS.filter((rule) => path.startsWith(rule));
      assert.deepEqual(scan.seen.sort(), expected.sort(), path);
    }
  }
});

Deno.test("PathIndex.visitCanonical() sees every rule path whose segments lead the request's", () => {
  const rules = [[""], ["", "a"], ["", "ab"], ["", "a", "b"], ["", "a", "bc"], ["", "b"]];
  const index = indexOf(rules.map(pathOf), "canonical");
  for (const request of [...rules, ["", "a", "b", "c"], ["", "a", "x"], ["", "abc"], ["", "A"]]) {
    const scan = new NotingScan();
    index.visitCanonical(request, new Map(), scan);
    const expected = rules.filter((rule) => rule.every((each, at) => request[at] === each));
    assert.deepEqual(scan.seen.sort(), expected.map(pathOf).sort(), pathOf(request));
  }
});

Deno.test("PathIndex keeps what the matchers know apart", () => {
  const index = new PathIndex();
  index.at("/a").legacy = new GrantNode();
  index.at("/a").legacy!.end("legacy", NOBODY);
  index.at("/a").canonical = new GrantNode();
  index.at("/a").canonical!.end("canonical", NOBODY);
  const legacy = new NotingScan();
  index.visitLegacy("/a", NO_QUERY, legacy);
  const canonical = new NotingScan();
  index.visitCanonical(["", "a"], new Map(), canonical);
  assert.deepEqual([legacy.seen, canonical.seen], [["legacy"], ["canonical"]]);
});

Deno.test("PathIndex asks for the query only where a constraint stands on the way", () => {
  const index = indexOf(["/plain"], "legacy");
  const slot = index.at("/asks");
  slot.legacy = new GrantNode();
  slot.legacy.branch("k", "v", "asks").end("asks", NOBODY);
  let asked = 0;
  const query = {
    values: () => {
      asked++;
      return new Map([["k", ["v"]]]);
    },
  };
  index.visitLegacy("/plain", query, new NotingScan());
  assert.equal(asked, 0);
  const scan = new NotingScan();
  index.visitLegacy("/asks/more", query, scan);
  assert.deepEqual([asked, scan.seen], [1, ["asks"]]);
});

Deno.test("PathIndex.at() returns the same place for the same path, before and after splits", () => {
  const index = new PathIndex();
  const place = index.at("/metadata/instance");
  index.at("/metadata/identity");
  index.at("/meta");
  assert.equal(index.at("/metadata/instance"), place);
  assert.notEqual(index.at("/metadata/i"), place);
});
