import assert from "node:assert/strict";
import {
  type CompiledItem,
  compileItem,
  selfTest,
  type SelfTestReport,
} from "../../../../src/domain/policy/mod.ts";
import { MAX_EVALUATIONS, MAX_FAILURES } from "../../../../src/domain/policy/self_test_run.ts";
import { GrantNode } from "../../../../src/domain/policy/grant_tree.ts";
import { IdentityIndex } from "../../../../src/domain/policy/identity_index.ts";
import { Members } from "../../../../src/domain/policy/members.ts";
import { PathIndex } from "../../../../src/domain/policy/path_index.ts";
import { sampleCompiled, sampleIdentity, sampleItem, type SampleRules } from "./rule_samples.ts";

function run(item: CompiledItem): { readonly report: SelfTestReport; readonly yields: number } {
  const steps = selfTest(item);
  for (let yields = 0;; yields++) {
    const step = steps.next();
    if (step.done) return { report: step.value, yields };
  }
}

const RULES: SampleRules = {
  privileges: {
    token: ["/metadata/identity/oauth2/token", { resource: "https://storage.azure.com/" }],
    instance: "/Metadata/instance/",
    everything: "/",
    events: ["/metadata/scheduledevents", { "api-version": "2020-07-01", a: "" }],
    nobody: "/machine",
    odd: "/a/./b;v=1//c%20d/%2e%2e/e.",
    spaced: ["/m", { "k%20l": "a+b%26" }],
    plain: ["", { "\u00e9": "\u00c9t\u00e9" }],
    digits: "/1/2",
  },
  identities: {
    svc: { userName: "svc", processName: "x", exePath: "/opt/x" },
    ops: { groupName: "ops" },
    any: {},
    upper: { userName: "SVC" },
  },
  grants: {
    token: ["svc"],
    instance: ["ops", "svc"],
    events: ["any"],
    odd: ["upper"],
    plain: ["svc"],
  },
};

Deno.test("selfTest() finds nothing to complain of in rules that the engine reads rightly", () => {
  for (const defaultAccess of ["allow", "deny"] as const) {
    const { report, yields } = run(sampleCompiled({ ...RULES, defaultAccess }));
    assert.deepEqual(report.failures, []);
    assert.equal(report.failureCount, 0);
    assert.equal(report.privileges, 9);
    assert.equal(report.ruleSetId, "rules-1");
    assert.ok(report.evaluations > 300, `${report.evaluations}`);
    assert.equal(yields, 10);
  }
  assert.equal(run(sampleCompiled({ ...RULES, without: ["roles"] })).report.failureCount, 0);
});

Deno.test("selfTest() gives the same report for the same rules", () => {
  assert.deepEqual(run(sampleCompiled(RULES)), run(sampleCompiled(RULES)));
});

Deno.test("selfTest() leaves out what is disabled or has no canonical form", () => {
  assert.equal(run(sampleCompiled({ ...RULES, mode: "disabled" })).report.evaluations, 0);
  assert.equal(run(sampleCompiled({ privileges: { p: "/%zz" } })).report.privileges, 0);
  assert.equal(run(compileItem({ ...sampleItem(), rules: null }).compiled).report.privileges, 0);
});

Deno.test("selfTest() bounds its work and still looks at every privilege", () => {
  const names = Array.from({ length: 6_000 }, (_, at) => `p${at}`);
  const item = sampleCompiled({
    privileges: Object.fromEntries(
      names.map((name) => [name, [`/a/${name}`, { k: name }] as const]),
    ),
    identities: { svc: { userName: "svc" } },
    grants: Object.fromEntries(names.map((name) => [name, ["svc"]])),
  });
  const { report } = run(item);
  assert.equal(report.privileges, 6_000);
  assert.equal(report.failureCount, 0);
  assert.ok(report.evaluations >= 12_000 && report.evaluations <= MAX_EVALUATIONS);
});

/** The item with parts of its index replaced, as a fault of the engine would. */
function broken(
  sample: SampleRules,
  change: (item: CompiledItem) => Partial<CompiledItem["index"]>,
): CompiledItem {
  const item = sampleCompiled(sample);
  return { ...item, index: { ...item.index, ...change(item) } };
}

/** The mutations that failed, each once. */
function failed(item: CompiledItem): string[] {
  return [...new Set(run(item).report.failures.map(({ mutation }) => mutation))].sort();
}

const ONE: SampleRules = {
  privileges: { p: ["/a/b", { k: "v" }] },
  identities: { svc: { userName: "svc" } },
  grants: { p: ["svc"] },
};

/** An index in which the privilege `p` of `ONE` stands at another path, or with other constraints. */
function misplaced(path: string, constraints: Record<string, string>) {
  return (item: CompiledItem) => {
    const paths = new PathIndex();
    const slot = paths.at(path);
    const members = new Members(new Set(["svc"]), new Map([["svc", 0]]));
    let node = slot.legacy = slot.canonical = new GrantNode();
    for (const [key, value] of Object.entries(constraints)) node = node.branch(key, value, "p");
    node.end("p", members);
    assert.ok(
      item.index.identities.classesOf({
        userName: "svc",
        userGroups: [],
        processName: null,
        processFullPath: null,
        elevated: true,
      }).includes(0),
    );
    return { paths };
  };
}

Deno.test("selfTest() notices a privilege that its own request does not reach", () => {
  assert.ok(failed(broken(ONE, misplaced("/a/c", { k: "v" }))).includes("none"));
});

Deno.test("selfTest() notices a privilege that reaches too far", () => {
  const far = failed(broken(ONE, misplaced("/a", { k: "v" })));
  assert.ok(far.includes("sibling-suffix") && far.includes("parent-path"), far.join());
  const loose = failed(broken(ONE, misplaced("/a/b", {})));
  assert.ok(loose.includes("missing-parameter") && loose.includes("other-value"), loose.join());
  assert.ok(loose.includes("repeated-parameter"), loose.join());
});

Deno.test("selfTest() notices a restriction that does not hold", () => {
  const open = broken({ ...ONE, defaultAccess: "allow" }, () => ({ paths: new PathIndex() }));
  const { failures } = run(open).report;
  const repeated = failures.find(({ mutation }) => mutation === "repeated-parameter");
  assert.deepEqual(repeated, {
    ruleSetId: "rules-1",
    privilege: "p",
    mutation: "repeated-parameter",
    method: "GET",
    target: "/a/b?k=v&k=v",
    caller: "member",
    expected: "restricted, and not granted, by the privilege",
    actual: "allowed by default",
  });
});

Deno.test("selfTest() notices spellings that get another verdict", () => {
  class CaseBlind extends PathIndex {
    override visitLegacy(...[path, query, scan]: Parameters<PathIndex["visitLegacy"]>): void {
      if (scan.classes().length > 0 && query.values().has("selftest")) return;
      super.visitLegacy(path, query, scan);
    }
  }
  const paths = new CaseBlind();
  const { index } = sampleCompiled(ONE);
  const slot = paths.at("/a/b");
  slot.legacy = slot.canonical = index.paths.at("/a/b").legacy;
  const report = run({ ...sampleCompiled(ONE), index: { ...index, paths } }).report;
  assert.deepEqual(
    [...new Set(report.failures.map(({ mutation }) => mutation))],
    ["extra-parameter", "parameter-order"],
  );
  assert.match(report.failures[0]!.actual, /^compat deny, canonical allow, deny in enforce$/);
});

Deno.test("selfTest() notices an identity that is found by a name that only looks like its own", () => {
  class Confused extends IdentityIndex {
    override classesOf(claims: Parameters<IdentityIndex["classesOf"]>[0]) {
      return super.classesOf({ ...claims, userName: claims.userName?.toLowerCase() ?? null });
    }
  }
  const identities = new Confused("unix");
  identities.add(sampleIdentity("svc", { userName: "svc" }));
  assert.ok(failed(broken(ONE, () => ({ identities }))).includes("identity-case"));
});

Deno.test("selfTest() spells out few failures and counts all", () => {
  const names = Array.from({ length: 40 }, (_, at) => `p${at}`);
  const item = broken({
    privileges: Object.fromEntries(names.map((name) => [name, `/${name}`])),
    identities: { svc: { userName: "svc" } },
    grants: Object.fromEntries(names.map((name) => [name, ["svc"]])),
  }, () => ({ paths: new PathIndex() }));
  const { report } = run(item);
  assert.equal(report.failures.length, MAX_FAILURES);
  assert.ok(report.failureCount >= 80);
});
