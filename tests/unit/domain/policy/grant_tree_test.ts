import assert from "node:assert/strict";
import { CallerClasses, GrantNode, Scan } from "../../../../src/domain/policy/grant_tree.ts";
import { IdentityIndex } from "../../../../src/domain/policy/identity_index.ts";
import { Members } from "../../../../src/domain/policy/members.ts";
import { sampleClaims, sampleIdentity } from "./rule_samples.ts";

const INDEX = new IdentityIndex("unix");
const CLASS_OF = new Map(
  ["alice", "bob", "carol"].map((
    userName,
  ) => [userName, INDEX.add(sampleIdentity(userName, { userName }))]),
);

const NOBODY = new Members(new Set(), new Map());

function members(...names: string[]): Members {
  return new Members(new Set(names), CLASS_OF);
}

function scanFor(userName: string): Scan {
  return new Scan(new CallerClasses(INDEX, sampleClaims({ userName })));
}

function visit(node: GrantNode, userName: string, query: Record<string, string[]>) {
  const scan = scanFor(userName);
  const granted = node.visit(new Map(Object.entries(query)), false, scan);
  return { granted, privilege: scan.privilege, identity: scan.identity, refusedBy: scan.refusedBy };
}

function tree(
  privileges: Record<string, readonly [Record<string, string>, Members]>,
): GrantNode {
  const root = new GrantNode();
  for (const [name, [constraints, holders]] of Object.entries(privileges)) {
    let node = root;
    const entries = Object.entries(constraints);
    for (const [at, [key, value]] of entries.entries()) {
      node = node.branch(key, value, at === entries.length - 1 ? name : null);
    }
    node.end(name, holders);
  }
  return root;
}

Deno.test("GrantNode grants to the members of a privilege whose constraints all hold", () => {
  const root = tree({
    both: [{ a: "1", b: "2" }, members("alice")],
    one: [{ a: "1" }, members("bob")],
  });
  assert.equal(visit(root, "alice", { a: ["1"], b: ["2"], c: ["3"] }).privilege, "both");
  assert.equal(visit(root, "bob", { b: ["2"], a: ["1"] }).privilege, "one");
  assert.deepEqual(visit(root, "alice", { a: ["1"], b: ["3"] }), {
    granted: false,
    privilege: null,
    identity: null,
    refusedBy: "one",
  });
  assert.equal(visit(root, "alice", { b: ["2"] }).refusedBy, null);
  assert.equal(visit(root, "alice", {}).refusedBy, null);
});

Deno.test("GrantNode lets whichever side is smaller lead", () => {
  const many: Record<string, readonly [Record<string, string>, Members]> = {};
  for (let each = 0; each < 50; each++) {
    many[`p${each}`] = [{ [`k${each}`]: "v" }, members("alice")];
  }
  const root = tree(many);
  assert.equal(visit(root, "alice", { k7: ["v"] }).privilege, "p7");
  const request = Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`x${at}`, ["v"]]));
  assert.equal(visit(root, "alice", { ...request, k8: ["v"] }).privilege, "p8");
  assert.equal(visit(root, "alice", request).refusedBy, null);
  assert.equal(
    visit(tree({ p: [{ k: "v" }, members("alice")] }), "alice", { ...request, k: ["v"] }).privilege,
    "p",
  );
});

Deno.test("GrantNode unites privileges that end at the same place and names the one that grants", () => {
  const shared = members("alice");
  const root = tree({
    first: [{}, shared],
    same: [{}, shared],
    second: [{}, members("bob", "alice")],
    third: [{}, members("carol")],
  });
  assert.deepEqual(visit(root, "alice", {}), {
    granted: true,
    privilege: "first",
    identity: "alice",
    refusedBy: "first",
  });
  assert.equal(visit(root, "bob", {}).privilege, "second");
  assert.equal(visit(root, "carol", {}).privilege, "third");
  assert.equal(visit(root, "dave", {}).refusedBy, "first");
});

Deno.test("GrantNode.copiesFor() counts what end() copies", () => {
  const node = new GrantNode();
  const first = members("alice");
  assert.equal(node.copiesFor(first), 0);
  node.end("p", first);
  assert.equal(node.copiesFor(first), 0);
  const second = members("bob", "carol");
  assert.equal(node.copiesFor(second), 3);
  node.end("q", second);
  assert.equal(node.copiesFor(second), 0);
  assert.equal(node.copiesFor(members("alice")), 1);
});

Deno.test("GrantNode lets a repeated key restrict and never grant", () => {
  const root = tree({ p: [{ k: "v" }, members("alice")] });
  for (const values of [["v", "v"], ["v", "x"], ["x", "v"], ["x", "y"]]) {
    assert.deepEqual(visit(root, "alice", { k: values }), {
      granted: false,
      privilege: null,
      identity: null,
      refusedBy: "p",
    });
  }
});

Deno.test("GrantNode looks further behind a repeated key for constraints that hold", () => {
  const root = tree({
    p: [{ a: "1", b: "1" }, members("alice")],
    q: [{ a: "2", b: "2" }, members("alice")],
  });
  assert.equal(visit(root, "alice", { a: ["x", "y"], b: ["2"] }).refusedBy, "q");
  assert.equal(visit(root, "alice", { a: ["x", "y"], b: ["3"] }).refusedBy, null);
  assert.equal(visit(root, "alice", { a: ["x", "y"], b: ["3", "4"] }).refusedBy, "p");
  assert.equal(visit(root, "alice", { a: ["1", "1"], b: ["1"] }).privilege, null);
});

Deno.test("CallerClasses looks the caller up once, and only when asked", () => {
  let asked = 0;
  const counting = new (class extends IdentityIndex {
    override classesOf() {
      asked++;
      return [];
    }
  })("unix");
  const classes = new CallerClasses(counting, sampleClaims());
  assert.equal(asked, 0);
  classes.get();
  classes.get();
  assert.equal(asked, 1);
});

Deno.test("Members finds the first name of a class among few and among many", () => {
  const index = new IdentityIndex("unix");
  const names = Array.from({ length: 30 }, (_, at) => `n${at}`);
  const classOf = new Map(
    names.map((name, at) => [name, index.add(sampleIdentity(name, { userName: `u${at % 20}` }))]),
  );
  const many = new Members(new Set(names), classOf);
  assert.deepEqual([many.size, [...many.classes].length], [20, 20]);
  assert.equal(many.nameOf(classOf.get("n25")!), "n5");
  assert.equal(many.nameOf(99), undefined);
  const few = new Members(new Set(["n3"]), classOf);
  assert.equal(few.nameOf(classOf.get("n3")!), "n3");
  assert.equal(few.nameOf(classOf.get("n4")!), undefined);
  assert.deepEqual([few.size, [...few.classes]], [1, [classOf.get("n3")]]);
  const same = new Members(new Set(["n3", "n23"]), classOf);
  assert.deepEqual([same.size, same.nameOf(classOf.get("n23")!)], [1, "n3"]);
  assert.deepEqual([NOBODY.size, [...NOBODY.classes], NOBODY.nameOf(0)], [0, [], undefined]);
});
