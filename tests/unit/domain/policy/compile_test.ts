import assert from "node:assert/strict";
import {
  type Compilation,
  compileItem,
  compileSteps,
  evaluate,
  questionOf,
} from "../../../../src/domain/policy/mod.ts";
import { MAX_FINDINGS } from "../../../../src/domain/policy/compile_findings.ts";
import { MAX_COPIED_GRANTS, MAX_PARAMETERS } from "../../../../src/domain/policy/compile.ts";
import type { AuthorizationItem, RuleSet } from "../../../../src/domain/wire/mod.ts";
import { ALICE, BOB, sampleIdentity, sampleItem } from "./rule_samples.ts";

function withRules(rules: Partial<RuleSet>): AuthorizationItem {
  const none = { privileges: [], roles: [], identities: [], roleAssignments: [] };
  return { ...sampleItem(), rules: { ...none, ...rules } };
}

function codes({ findings }: Compilation): string[] {
  return findings.map(({ severity, code, path }) => `${severity} ${code} ${path}`);
}

function assignments({ compiled }: Compilation): Record<string, string[]> {
  return Object.fromEntries(
    [...compiled.privilegeAssignments].map(([name, identities]) => [name, [...identities].sort()]),
  );
}

Deno.test("compileItem() puts paths and parameters into lower case and leaves identities alone", () => {
  const { compiled, findings } = compileItem(sampleItem({
    privileges: { P: ["/Meta\u0130", { "Api-Version": "X\u00c9" }] },
    identities: { I: { userName: "Root", exePath: "/Usr" } },
    defaultAccess: "allow",
    mode: "audit",
    id: "The Id",
  }));
  const privilege = compiled.privileges.get("P")!;
  assert.equal(privilege.path, "/metai\u0307");
  assert.deepEqual([...privilege.queryParameters!], [["api-version", "x\u00e9"]]);
  assert.deepEqual(
    compiled.identities.get("I"),
    sampleIdentity("I", { userName: "Root", exePath: "/Usr" }),
  );
  assert.deepEqual([compiled.id, compiled.defaultAllowed, compiled.mode], [
    "The Id",
    true,
    "audit",
  ]);
  assert.deepEqual(findings.map(({ code }) => code), ["not-canonical"]);
});

Deno.test("compileItem() gives a privilege the identities of all roles that have it", () => {
  const compilation = compileItem(withRules({
    privileges: ["a", "b", "c", "d"].map((name) => ({
      name,
      path: `/${name}`,
      queryParameters: null,
    })),
    identities: ["x", "y", "z"].map((name) => sampleIdentity(name, { userName: name })),
    roles: [
      { name: "r1", privileges: ["a", "b", "b"] },
      { name: "r2", privileges: ["b"] },
      { name: "unused", privileges: ["d"] },
      { name: "empty", privileges: ["c"] },
    ],
    roleAssignments: [
      { role: "r1", identities: ["x"] },
      { role: "r2", identities: ["y", "y"] },
      { role: "r1", identities: ["z"] },
      { role: "empty", identities: [] },
    ],
  }));
  assert.deepEqual(assignments(compilation), { a: ["x", "z"], b: ["x", "y", "z"], c: [] });
  assert.deepEqual(codes(compilation), []);
});

Deno.test("compileItem() lets the last definition of a name count", () => {
  const compilation = compileItem(withRules({
    privileges: [
      { name: "p", path: "/old", queryParameters: null },
      { name: "p", path: "/new", queryParameters: null },
    ],
    identities: [
      sampleIdentity("i", { userName: "old" }),
      sampleIdentity("i", { userName: "alice" }),
    ],
    roles: [{ name: "r", privileges: [] }, { name: "r", privileges: ["p"] }],
    roleAssignments: [{ role: "r", identities: ["i"] }],
  }));
  const { compiled } = compilation;
  assert.equal(evaluate(compiled, questionOf("GET", "/new", ALICE), "enforce").allowed, true);
  assert.equal(evaluate(compiled, questionOf("GET", "/old", ALICE), "compat").by, "default-access");
  assert.deepEqual(codes(compilation), [
    "warning duplicate-name $.rules.privileges[1].name",
    "warning duplicate-name $.rules.identities[1].name",
    "warning duplicate-name $.rules.roles[1].name",
  ]);
});

Deno.test("compileItem() skips references to what does not exist, and says where they stand", () => {
  const item = withRules({
    privileges: [{ name: "p", path: "/p", queryParameters: null }],
    identities: [sampleIdentity("i")],
    roles: [{ name: "r", privileges: ["nope", "p"] }],
    roleAssignments: [{ role: "none", identities: ["i"] }, { role: "r", identities: ["i", "who"] }],
  });
  const compilation = compileItem(item, { at: "$.authorizationRules.imds" });
  assert.deepEqual(assignments(compilation), { p: ["i"] });
  const at = "$.authorizationRules.imds.rules";
  assert.deepEqual(codes(compilation), [
    `warning unknown-role ${at}.roleAssignments[0].role`,
    `warning unknown-identity ${at}.roleAssignments[1].identities[1]`,
    `warning unknown-privilege ${at}.roles[0].privileges[0]`,
  ]);
});

Deno.test("compileItem() has rules for the canonical matcher only when a list is missing", () => {
  for (const list of ["roles", "identities", "roleAssignments"] as const) {
    const compilation = compileItem(sampleItem({
      defaultAccess: "allow",
      privileges: { p: "/secret" },
      identities: { i: {} },
      grants: { p: ["i"] },
      without: [list],
    }));
    const { compiled } = compilation;
    assert.equal(compiled.privileges.size + compiled.identities.size, 0);
    assert.equal(compiled.privilegeAssignments.size, 0);
    assert.deepEqual(codes(compilation), [`warning list-missing $.rules.${list}`]);
    const verdict = evaluate(compiled, questionOf("GET", "/secret", ALICE), "enforce");
    assert.deepEqual([verdict.compat, verdict.canonical, verdict.allowed], [
      "allow",
      "deny",
      false,
    ]);
    const other = evaluate(compiled, questionOf("GET", "/other", ALICE), "enforce");
    assert.equal(other.allowed, true);
  }
});

Deno.test("compileItem() takes no rules at all for the default alone", () => {
  for (const defaultAccess of ["allow", "deny"] as const) {
    const { compiled, findings } = compileItem({ ...sampleItem({ defaultAccess }), rules: null });
    const verdict = evaluate(compiled, questionOf("GET", "/x", BOB), "enforce");
    assert.deepEqual([verdict.allowed, verdict.by], [defaultAccess === "allow", "default-access"]);
    assert.deepEqual(findings, []);
  }
});

Deno.test("compileItem() finds an error in each privilege without canonical form", () => {
  const compilation = compileItem(sampleItem({
    privileges: {
      fine: "/x",
      path: "/x%ZZ",
      value: ["/x", { k: "%0a" }],
      key: ["/x", { "": "v" }],
      twice: ["/x", { "a%20b": "1", "a b": "2" }],
    },
  }));
  assert.deepEqual(codes(compilation), [
    "error not-canonical $.rules.privileges[1]",
    "error not-canonical $.rules.privileges[2]",
    "error not-canonical $.rules.privileges[3]",
    "error not-canonical $.rules.privileges[4]",
  ]);
  const messages = compilation.findings.map(({ message }) => message.split(": ")[1]!.split(",")[0]);
  assert.deepEqual(messages, ["CANON_PCT", "CANON_CTRL", "EMPTY_KEY", "REPEATED_KEY"]);
});

Deno.test("compileItem() bounds its findings, warnings and errors each", () => {
  const names = Array.from({ length: MAX_FINDINGS * 2 }, (_, at) => `n${at}`);
  const { findings } = compileItem(withRules({
    privileges: names.map((name) => ({ name, path: "/%", queryParameters: null })),
    roleAssignments: names.map((role) => ({ role, identities: [] })),
  }));
  const count = (severity: string) => findings.filter((each) => each.severity === severity).length;
  assert.deepEqual([count("error"), count("warning")], [MAX_FINDINGS, MAX_FINDINGS]);
});

Deno.test("compileItem() shares members, so that a large role costs the sum of its parts", () => {
  const privileges = Array.from({ length: 3_000 }, (_, at) => `p${at}`);
  const identities = Array.from({ length: 3_000 }, (_, at) => `i${at}`);
  const compilation = compileItem(withRules({
    privileges: privileges.map((name) => ({ name, path: `/${name}`, queryParameters: null })),
    identities: identities.map((name) => sampleIdentity(name, { userName: name })),
    roles: [{ name: "r", privileges }],
    roleAssignments: [{ role: "r", identities }],
  }));
  const { compiled } = compilation;
  assert.equal(compiled.privilegeAssignments.get("p0"), compiled.privilegeAssignments.get("p2999"));
  assert.deepEqual(codes(compilation), []);
});

Deno.test("compileItem() refuses documents that multiply grants without end", () => {
  const size = Math.ceil(Math.sqrt(MAX_COPIED_GRANTS)) + 1;
  const identities = Array.from({ length: size }, (_, at) => `i${at}`);
  const roles = Array.from({ length: size }, (_, at) => `r${at}`);
  const compilation = compileItem(withRules({
    privileges: roles.map((name) => ({ name, path: "/same", queryParameters: null })),
    identities: identities.map((name) => sampleIdentity(name, { userName: name })),
    roles: roles.map((name) => ({ name, privileges: [name] })),
    roleAssignments: roles.map((role) => ({ role, identities })),
  }));
  assert.deepEqual(codes(compilation), ["error too-many-grants $.rules.roleAssignments"]);
});

Deno.test("compileItem() refuses privileges with very many parameters", () => {
  const parameters = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, "v"]));
  const compilation = compileItem(sampleItem({
    privileges: {
      p: ["/p", parameters(MAX_PARAMETERS)],
      q: ["/q", parameters(MAX_PARAMETERS + 1)],
    },
    identities: { any: {} },
    grants: { p: ["any"] },
  }));
  assert.deepEqual(codes(compilation), [
    "error too-many-parameters $.rules.privileges[1].queryParameters",
  ]);
  const query = Object.keys(parameters(MAX_PARAMETERS)).map((key) => `${key}=v`).join("&");
  const verdict = evaluate(compilation.compiled, questionOf("GET", `/p?${query}`, BOB), "enforce");
  assert.equal(verdict.allowed, true);
});

Deno.test("compileItem() unites large roles within the same bound", () => {
  const size = 700;
  const names = Array.from({ length: size }, (_, at) => `n${at}`);
  const rules = (privileges: number): AuthorizationItem => {
    const numbers = Array.from({ length: privileges }, (_, at) => at);
    return withRules({
      privileges: numbers.map((at) => ({ name: `p${at}`, path: `/p${at}`, queryParameters: null })),
      identities: names.map((name) => sampleIdentity(name, { userName: name })),
      roles: [
        ...numbers.map((at) => ({ name: `own${at}`, privileges: [`p${at}`] })),
        { name: "shared", privileges: numbers.map((at) => `p${at}`) },
      ],
      roleAssignments: [
        ...numbers.map((at) => ({ role: `own${at}`, identities: [names[0]!] })),
        { role: "shared", identities: names },
      ],
    });
  };
  const few = compileItem(rules(10));
  assert.deepEqual(codes(few), []);
  assert.equal(few.compiled.privilegeAssignments.get("p3")!.size, size);
  const many = compileItem(rules(Math.ceil(MAX_COPIED_GRANTS / size) + 1));
  assert.deepEqual(codes(many), ["error too-many-grants $.rules.roleAssignments"]);
});

Deno.test("compileSteps() yields often and ends with what compileItem() returns", () => {
  const names = Array.from({ length: 2_000 }, (_, at) => `n${at}`);
  const item = withRules({
    privileges: names.map((name) => ({ name, path: `/${name}`, queryParameters: null })),
    identities: names.map((name) => sampleIdentity(name, { userName: name })),
    roles: names.map((name) => ({ name, privileges: [name] })),
    roleAssignments: names.map((role) => ({ role, identities: [role] })),
  });
  const steps = compileSteps(item);
  let yields = 0;
  for (;;) {
    const step = steps.next();
    if (!step.done) {
      yields++;
      continue;
    }
    const whole = compileItem(item);
    assert.deepEqual(step.value.findings, whole.findings);
    assert.deepEqual(assignments(step.value), assignments(whole));
    break;
  }
  assert.ok(yields > 100, `${yields} yields`);
});

Deno.test("compileItem() returns an item that nobody can edit", () => {
  const { compiled } = compileItem(sampleItem({ privileges: { p: "/p" } }));
  assert.ok(Object.isFrozen(compiled));
  assert.ok(Object.isFrozen(compiled.index));
});
