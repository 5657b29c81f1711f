import assert from "node:assert/strict";
import {
  DOCUMENT_KINDS,
  type DocumentKind,
  kindText,
  readRuleDocument,
} from "../../../../src/operator/policy_tools/rule_document.ts";
import {
  distinctEndpoints,
  toolPolicy,
} from "../../../../src/operator/policy_tools/tool_policy.ts";
import { sampleItemJson, sampleStatusJson } from "./samples.ts";

function read(value: unknown, as: DocumentKind | null = null) {
  const document = readRuleDocument(JSON.stringify(value), as);
  if (!document.ok) throw new Error(document.error.message);
  return document.value;
}

function faultOf(value: unknown, as: DocumentKind | null = null) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const document = readRuleDocument(text, as);
  assert.ok(!document.ok);
  return document.error;
}

const ITEM = sampleItemJson();
const DUMP = {
  inputRules: { imds: ITEM },
  computedRules: {
    wireserver: { mode: "Audit", kind: "built-in" },
    imds: { mode: "Enforce", kind: "rules" },
    hostga: { mode: "Disabled", kind: "closed", reason: "no file" },
  },
  policyEpoch: 12,
};

Deno.test("readRuleDocument() tells the kind by the members", () => {
  const { mode: _, ...local } = ITEM;
  for (
    const [value, kind, ends] of [
      [sampleStatusJson({ imds: ITEM }), "status", ["$.authorizationRules.imds"]],
      [{ wireserver: ITEM, imds: ITEM }, "rules", ["$.wireserver", "$.imds"]],
      [ITEM, "item", ["$"]],
      [local, "local", ["$"]],
      [{ rules: {} }, "local", ["$"]],
      [DUMP, "dump", ["$.inputRules.imds"]],
    ] as const
  ) {
    const document = read(value);
    assert.equal(document.kind, kind);
    assert.deepEqual(document.items.map(({ at }) => at), ends);
  }
  for (const kind of DOCUMENT_KINDS) assert.match(kindText(kind), /^(an?|the) /);
});

Deno.test("readRuleDocument() is told the kind, and drops one byte order mark", () => {
  assert.equal(read(ITEM, "local").kind, "local");
  assert.ok(readRuleDocument(`\ufeff${JSON.stringify(ITEM)}`, null).ok);
  assert.equal(faultOf(ITEM, "status").path, "$.authorizationScheme");
});

Deno.test("readRuleDocument() names the place of what is wrong, and how to say what a document is", () => {
  assert.match(faultOf({}).message, /say what it is with --as status\|rules\|item\|local\|dump/);
  assert.match(faultOf([]).message, /--as/);
  assert.match(faultOf("{").message, /not JSON at \$/);
  assert.equal(faultOf({ imds: { ...ITEM, mode: 1 } }).path, "$.imds.mode");
  assert.equal(faultOf({ hostga: { ...ITEM, id: 1 } }).path, "$.hostga.id");
  assert.equal(
    faultOf(sampleStatusJson({ imds: { ...ITEM, id: 7 } })).path,
    "$.authorizationRules.imds.id",
  );
  assert.equal(faultOf({ ...ITEM, mode: "x" }).path, "$.mode");
  assert.equal(faultOf({ defaultAccess: "no" }).path, "$.defaultAccess");
  assert.equal(faultOf([], "rules").path, "$");
  const roles = [{ name: "r", privileges: ["missing"] }];
  assert.match(faultOf({ rules: { roles } }).message, /must be the name of a privilege/);
  for (
    const [dump, path] of [
      [[], "$"],
      [{ inputRules: 1 }, "$.inputRules"],
      [{ inputRules: {} }, "$.computedRules"],
      [{ inputRules: {}, computedRules: {} }, "$.computedRules.wireserver"],
      [
        { inputRules: {}, computedRules: { wireserver: { mode: "x" } } },
        "$.computedRules.wireserver.mode",
      ],
      [{ ...DUMP, inputRules: { imds: { ...ITEM, id: 7 } } }, "$.inputRules.imds.id"],
    ] as const
  ) {
    assert.equal(faultOf(dump, "dump").path, path);
  }
});

Deno.test("readRuleDocument() finds a hostga member that nothing reads", () => {
  assert.deepEqual(read({ imds: ITEM, hostga: ITEM }).unused, ["$.hostga"]);
  assert.deepEqual(read(sampleStatusJson({ hostga: ITEM })).unused, [
    "$.authorizationRules.hostga",
  ]);
  assert.deepEqual(read({ imds: ITEM, hostga: null }).unused, []);
});

Deno.test("toolPolicy() gives the policy that the agent would install", () => {
  const status = toolPolicy(read(sampleStatusJson({ wireserver: ITEM })), "enforce");
  assert.ok(status.ok);
  assert.equal(status.value.matching, "enforce");
  const { wireserver, imds, hostga } = status.value.endpoints;
  assert.deepEqual([wireserver.kind, imds.kind], ["rules", "built-in"]);
  assert.equal(hostga, wireserver);
  const item = toolPolicy(read(ITEM), "shadow");
  assert.ok(item.ok);
  assert.deepEqual(
    Object.values(item.value.endpoints).map(({ kind }) => kind),
    Array(3).fill("rules"),
  );
});

Deno.test("toolPolicy() keeps the modes and the closed endpoints of a dump", () => {
  const document = read(DUMP);
  assert.equal(document.epoch, 12);
  const policy = toolPolicy(document, "shadow");
  assert.ok(policy.ok);
  const { wireserver, imds, hostga } = policy.value.endpoints;
  assert.deepEqual(wireserver, { kind: "built-in", mode: "audit" });
  assert.deepEqual([imds.kind, imds.mode], ["rules", "enforce"]);
  assert.deepEqual(hostga, { kind: "closed", mode: "disabled", reason: "no file" });
});

Deno.test("toolPolicy() says why the agent would refuse the rules", () => {
  const privileges = [{ name: "p", path: "/a?b" }];
  const policy = toolPolicy(
    read({ imds: { ...ITEM, rules: { ...ITEM.rules, privileges } } }),
    "shadow",
  );
  assert.ok(!policy.ok);
  assert.match(policy.error, /^the agent would refuse these rules for imds: .*CANON_EMBQ/);
});

Deno.test("distinctEndpoints() leaves HostGAPlugin out where it follows WireServer", () => {
  const follows = toolPolicy(read(ITEM), "shadow");
  const own = toolPolicy(read(DUMP), "shadow");
  assert.ok(follows.ok && own.ok);
  assert.deepEqual(distinctEndpoints([follows.value]), ["wireserver", "imds"]);
  assert.deepEqual(distinctEndpoints([follows.value, own.value]), ["wireserver", "imds", "hostga"]);
});
