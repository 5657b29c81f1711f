import assert from "node:assert/strict";
import { ruleSetFault, ruleSetFaultSteps } from "../../../../src/domain/policy/mod.ts";
import { parseLocalRules } from "../../../../src/domain/wire/mod.ts";

const GOOD = {
  privileges: [{ name: "p", path: "/x", queryParameters: { a: "1" } }],
  roles: [{ name: "r", privileges: ["p"] }],
  identities: [{ name: "i", userName: "u" }],
  roleAssignments: [{ role: "r", identities: ["i"] }],
};

/** Path and words of what is wrong with a local file of these rules; `null` for nothing. */
function faultOf(rules: Record<string, unknown> | null, top: Record<string, unknown> = {}) {
  const parsed = parseLocalRules(JSON.stringify({ ...top, rules }));
  const fault = parsed.ok ? ruleSetFault(parsed.value.rules) : parsed.error;
  return fault?.message ?? null;
}

Deno.test("ruleSetFault() finds nothing in good rules, in none, and in missing lists", () => {
  assert.equal(faultOf(GOOD), null);
  assert.equal(faultOf(null), null);
  assert.equal(faultOf({}), null);
  assert.equal(faultOf({ privileges: GOOD.privileges }), null);
  const noSlash = [{ name: "p", path: "x" }];
  assert.equal(faultOf({ ...GOOD, privileges: noSlash }), null, "a leading slash is not asked for");
  assert.equal(faultOf(GOOD, { defaultAccess: " allow" }), null);
  const upper = [{ name: "p", path: "/x" }, { name: "P", path: "/y" }, { name: "p ", path: "/z" }];
  assert.equal(faultOf({ ...GOOD, privileges: upper }), null, "names are compared exactly");
});

const BAD: [string, Record<string, unknown>, string][] = [
  [
    "blank privilege name",
    { privileges: [{ name: " ", path: "/x" }] },
    "$.rules.privileges[0].name ",
  ],
  ["blank path", { privileges: [{ name: "p", path: "\u2003" }] }, "$.rules.privileges[0].path "],
  ["blank parameter name", {
    privileges: [{ name: "p", path: "/x", queryParameters: { " ": "1" } }],
  }, '$.rules.privileges[0].queryParameters[" "] '],
  ["blank parameter value", {
    privileges: [{ name: "p", path: "/x", queryParameters: { a: "" } }],
  }, "$.rules.privileges[0].queryParameters.a "],
  ["privilege twice", {
    privileges: [...GOOD.privileges, ...GOOD.privileges],
  }, "$.rules.privileges[1].name "],
  ["blank role name", { roles: [{ name: "", privileges: ["p"] }] }, "$.rules.roles[0].name "],
  ["role of nothing", { roles: [{ name: "r", privileges: [] }] }, "$.rules.roles[0].privileges "],
  ["role twice", { roles: [...GOOD.roles, ...GOOD.roles] }, "$.rules.roles[1].name "],
  ["blank reference", {
    roles: [{ name: "r", privileges: ["p", " "] }],
  }, "$.rules.roles[0].privileges[1] "],
  ["reference twice", {
    roles: [{ name: "r", privileges: ["p", "p"] }],
  }, "$.rules.roles[0].privileges[1] "],
  ["unknown privilege", {
    roles: [{ name: "r", privileges: ["P"] }],
  }, "$.rules.roles[0].privileges[0] "],
  ["privileges missing", { privileges: null }, "$.rules.roles[0].privileges[0] "],
  [
    "blank identity name",
    { identities: [{ name: "\t", userName: "u" }] },
    "$.rules.identities[0].name ",
  ],
  ["identity twice", {
    identities: [...GOOD.identities, ...GOOD.identities],
  }, "$.rules.identities[1].name "],
  ["no selector", { identities: [{ name: "i" }] }, "$.rules.identities[0] "],
  ["blank selector", { identities: [{ name: "i", exePath: " " }] }, "$.rules.identities[0] "],
  ["blank role reference", {
    roleAssignments: [{ role: " ", identities: ["i"] }],
  }, "$.rules.roleAssignments[0].role "],
  ["unknown role", {
    roleAssignments: [{ role: "R", identities: ["i"] }],
  }, "$.rules.roleAssignments[0].role "],
  ["assignment to nobody", {
    roleAssignments: [{ role: "r", identities: [] }],
  }, "$.rules.roleAssignments[0].identities "],
  ["identity reference twice", {
    roleAssignments: [{ role: "r", identities: ["i", "i"] }],
  }, "$.rules.roleAssignments[0].identities[1] "],
  ["unknown identity", {
    roleAssignments: [{ role: "r", identities: ["i", "j"] }],
  }, "$.rules.roleAssignments[0].identities[1] "],
];

for (const [what, change, path] of BAD) {
  Deno.test(`ruleSetFault() refuses: ${what}`, () => {
    const message = faultOf({ ...GOOD, ...change });
    assert.ok(message?.startsWith(path), `${message}`);
  });
}

Deno.test("ruleSetFault() accepts one selector that is not blank beside blank ones", () => {
  assert.equal(
    faultOf({ ...GOOD, identities: [{ name: "i", userName: " ", exePath: "/x" }] }),
    null,
  );
});

Deno.test("ruleSetFault() refuses a blank id and an unknown default access of the file", () => {
  assert.ok(faultOf(GOOD, { id: "" })?.startsWith("$.id "));
  assert.ok(faultOf(GOOD, { defaultAccess: "" })?.startsWith("$.defaultAccess "));
});

Deno.test("ruleSetFaultSteps() pauses in long lists, and cuts long names", () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
  const parsed = parseLocalRules(JSON.stringify({
    rules: {
      privileges: names.map((name) => ({ name, path: "/x" })),
      roles: names.map((name) => ({ name, privileges: [name] })),
      identities: [{ name: "x".repeat(500), userName: "u" }],
      roleAssignments: [{ role: "y".repeat(500), identities: ["i"] }],
    },
  }));
  assert.ok(parsed.ok);
  let pauses = 0;
  const steps = ruleSetFaultSteps(parsed.value.rules);
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) pauses++;
  assert.equal(pauses, 15);
  assert.ok(step.value !== null && step.value.message.length < 200);
});
