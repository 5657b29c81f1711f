import assert from "node:assert/strict";
import { compileItem, compileSteps } from "../../../../src/domain/policy/mod.ts";
import { CopyBudget } from "../../../../src/domain/policy/members.ts";
import { Findings } from "../../../../src/domain/policy/compile_findings.ts";
import type { AuthorizationItem, RuleSet } from "../../../../src/domain/wire/mod.ts";

function withRules(rules: Partial<RuleSet>): AuthorizationItem {
  return {
    id: "r",
    defaultAccess: "deny",
    mode: "enforce",
    rules: { privileges: [], roles: [], identities: [], roleAssignments: [], ...rules },
    source: new Map(),
  };
}

function privilege(name: string, queryParameters: ReadonlyMap<string, string> | null = null) {
  return { name, path: `/${name}`, queryParameters };
}

function identity(name: string) {
  return { name, userName: name, groupName: null, exePath: null, processName: null };
}

Deno.test("readMembers() tells a role that is called like a list of roles from that list", () => {
  const odd = '["a","b"]';
  for (const order of [["p", "q"], ["q", "p"]] as const) {
    const { compiled } = compileItem(withRules({
      privileges: order.map((name) => privilege(name)),
      roles: [
        { name: "a", privileges: ["p"] },
        { name: "b", privileges: ["p"] },
        { name: odd, privileges: ["q"] },
      ],
      identities: ["i", "j", "k"].map(identity),
      roleAssignments: [
        ...order[0] === "q" ? [{ role: odd, identities: ["k"] }] : [],
        { role: "a", identities: ["i"] },
        { role: "b", identities: ["j"] },
        ...order[0] === "p" ? [{ role: odd, identities: ["k"] }] : [],
      ],
    }));
    const found = (name: string) => [...compiled.privilegeAssignments.get(name)!].sort();
    assert.deepEqual(found("p"), ["i", "j"]);
    assert.deepEqual(found("q"), ["k"]);
  }
});

const MANY = 6_400;
const names = Array.from({ length: MANY }, (_, at) => `n${at}`);
/** Each of them makes one pass or more over a long list; a pass is so many pieces of work. */
const LONG_LISTS: readonly (readonly [string, Partial<RuleSet>, number])[] = [
  ["privileges", { privileges: names.map((name) => privilege(name)) }, 4 * MANY],
  ["identities", { identities: names.map(identity) }, 2 * MANY],
  ["roles", { roles: names.map((name) => ({ name, privileges: [] })) }, MANY],
  [
    "assignments of no known role",
    { roleAssignments: names.map((role) => ({ role, identities: [] })) },
    MANY,
  ],
  [
    "references to identities",
    { roles: [{ name: "r", privileges: [] }], roleAssignments: [{ role: "r", identities: names }] },
    2 + MANY,
  ],
  [
    "references to privileges",
    { roles: [{ name: "r", privileges: names }], roleAssignments: [{ role: "r", identities: [] }] },
    2 + MANY,
  ],
  [
    "privileges that a role has",
    {
      privileges: names.map((name) => privilege(name)),
      roles: [{ name: "r", privileges: names }],
      roleAssignments: [{ role: "r", identities: [] }],
    },
    2 + 7 * MANY,
  ],
  [
    "members of one role, which are not copied",
    {
      privileges: [privilege("p")],
      roles: [{ name: "r", privileges: ["p"] }],
      identities: names.map(identity),
      roleAssignments: [{ role: "r", identities: names }],
    },
    3 * MANY + 9,
  ],
  [
    "members of two roles",
    {
      privileges: [privilege("p")],
      roles: [{ name: "r", privileges: ["p"] }, { name: "s", privileges: ["p"] }],
      identities: names.map(identity),
      roleAssignments: [{ role: "r", identities: names }, { role: "s", identities: [] }],
    },
    // Both lists of identities, the references, and the union; the few parts that stand alone besides.
    4 * MANY + 2 + 2 + 2 + 2 + 4,
  ],
];

for (const [what, rules, work] of LONG_LISTS) {
  Deno.test(`compileSteps() yields after every 64 pieces of work, also with many ${what}`, () => {
    const steps = compileSteps(withRules(rules));
    let yields = 0;
    while (!steps.next().done) yields++;
    assert.equal(yields, Math.floor(work / 64));
  });
}

Deno.test("CopyBudget.take() refuses everything once it is used up, and says so once", () => {
  const findings = new Findings("$");
  const budget = new CopyBudget(10, findings);
  assert.deepEqual([budget.take(4), budget.take(6), budget.take(0)], [true, true, true]);
  assert.deepEqual([budget.take(1), budget.take(1), budget.take(0)], [false, false, false]);
  assert.deepEqual(findings.found.map(({ code }) => code), ["too-many-grants"]);
});

Deno.test("compileItem() takes 64 parameters of one privilege and refuses 65", () => {
  for (const [count, codes] of [[64, []], [65, ["too-many-parameters"]]] as const) {
    const parameters = new Map(names.slice(0, count).map((name) => [name, "v"]));
    const { findings } = compileItem(withRules({ privileges: [privilege("p", parameters)] }));
    assert.deepEqual(findings.map(({ code }) => code), codes);
  }
});
