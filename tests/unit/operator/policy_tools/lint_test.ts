import assert from "node:assert/strict";
import type { Identity } from "../../../../src/domain/wire/mod.ts";
import type { ExeInspector } from "../../../../src/operator/policy_tools/exe_facts.ts";
import { lintItem } from "../../../../src/operator/policy_tools/lint.ts";
import { MAX_FINDINGS_OF_A_CODE } from "../../../../src/operator/policy_tools/lint_finding.ts";
import { sampleItem, type SampleRules } from "../../domain/policy/rule_samples.ts";

function lint(sample: SampleRules, exes: ExeInspector | null = null) {
  return lintItem(sampleItem(sample), "$.imds", exes);
}

function codes(sample: SampleRules, exes: ExeInspector | null = null): string[] {
  return lint(sample, exes).map(({ code }) => code);
}

/** The findings about one identity that has a privilege. */
function ofIdentity(selectors: Partial<Identity>, exes: ExeInspector | null = null): string[] {
  return codes(
    { privileges: { p: "/p" }, identities: { i: selectors }, grants: { p: ["i"] } },
    exes,
  );
}

/** The findings about one path that somebody has. */
function ofPath(path: string, parameters: Record<string, string> = {}): string[] {
  return codes({
    privileges: { p: [path, parameters] },
    identities: { i: { userName: "u" } },
    grants: { p: ["i"] },
  });
}

Deno.test("lintItem() finds nothing in plain rules", () => {
  assert.deepEqual(ofPath("/metadata/instance", { a: "b" }), []);
  assert.deepEqual(ofIdentity({ userName: "u", exePath: "/usr/bin/python3" }), []);
});

Deno.test("lintItem() names paths that do something else than they seem to", () => {
  for (
    const [path, expected] of [
      ["", ["path-matches-everything"]],
      ["/", ["path-matches-everything"]],
      ["metadata", ["path-without-slash"]],
      ["/a?b=c", ["path-has-query"]],
      ["?", ["path-has-query"]],
      ["/a%2Fb", ["path-escaped"]],
      ["/a/./b", ["path-not-plain"]],
      ["/a//b", ["path-not-plain"]],
      ["/a;v=1/b", ["path-not-plain"]],
      ["/machine/", ["path-ends-with-slash"]],
      ["/MetaData/Instance", []],
    ] as const
  ) {
    assert.deepEqual(ofPath(path), expected, path);
  }
  assert.deepEqual(ofPath("/", { comp: "versions" }), []);
  assert.deepEqual(ofPath("/p", { Comp: "a", comp: "b" }), ["parameter-repeated"]);
});

Deno.test("lintItem() gives severity, place and remedy", () => {
  const [finding] = lint({
    privileges: { p: "/a?b" },
    identities: { i: { userName: "u" } },
    grants: { p: ["i"] },
  });
  assert.equal(finding?.severity, "error");
  assert.equal(finding?.path, "$.imds.rules.privileges[0].path");
  assert.match(finding?.message ?? "", /put the parameters into queryParameters/);
});

Deno.test("lintItem() names identities that are everybody, or nobody", () => {
  assert.deepEqual(ofIdentity({}), ["identity-without-selector"]);
  for (
    const selectors of [
      { userName: "" },
      { userName: "u", exePath: "usr/bin/x" },
      { userName: "u", exePath: "/usr/../x" },
      { userName: "u", exePath: "/usr/bin/x", processName: "y" },
      { userName: "u", exePath: "" },
    ]
  ) {
    assert.deepEqual(ofIdentity(selectors), ["identity-cannot-be-met"], JSON.stringify(selectors));
  }
  assert.ok(ofIdentity({ processName: "a/b" }).includes("identity-cannot-be-met"));
  assert.deepEqual(ofIdentity({ exePath: "C:\\Program Files\\x.exe", processName: "x.exe" }), []);
});

Deno.test("lintItem() names interpreters that any user may run", () => {
  for (
    const name of ["python", "python3", "python3.12", "node", "bash", "sh", "java", "perl5.36"]
      .concat(["ruby", "php8.2", "php-8", "powershell.exe", "env", "busybox"])
  ) {
    assert.deepEqual(ofIdentity({ exePath: `/usr/bin/${name}` }), ["identity-interpreter"], name);
    assert.deepEqual(ofIdentity({ exePath: `/usr/bin/${name}`, userName: "u" }), [], name);
    assert.deepEqual(ofIdentity({ exePath: `/usr/bin/${name}`, groupName: "g" }), [], name);
  }
  for (const name of ["nodes", "pythonic", "shell", "javac", "my-bash"]) {
    assert.deepEqual(ofIdentity({ exePath: `/usr/bin/${name}` }), [], name);
  }
  assert.deepEqual(ofIdentity({ processName: "node" }), [
    "identity-interpreter",
    "identity-name-only",
  ]);
  assert.deepEqual(ofIdentity({ processName: "tool", userName: "u" }), ["identity-name-only"]);
});

Deno.test("lintItem() asks about executables of this machine, and only about absolute paths of it", () => {
  const asked: string[] = [];
  const exes: ExeInspector = {
    inspect(path) {
      asked.push(path);
      if (path === "/tmp/x") return { kind: "writable", place: "/tmp", why: "is open" };
      return path === "/none" ? { kind: "missing" } : { kind: "guarded" };
    },
  };
  assert.deepEqual(ofIdentity({ exePath: "/tmp/x" }, exes), ["exe-writable"]);
  assert.deepEqual(ofIdentity({ exePath: "/none" }, exes), ["exe-missing"]);
  assert.deepEqual(ofIdentity({ exePath: "/usr/bin/x" }, exes), []);
  ofIdentity({ exePath: "x" }, exes);
  ofIdentity({ exePath: "C:\\x.exe" }, exes);
  assert.deepEqual(asked, ["/tmp/x", "/none", "/usr/bin/x"]);
});

Deno.test("lintItem() names what leads nowhere", () => {
  const item = sampleItem({
    privileges: { held: "/a", orphan: "/b" },
    identities: { i: { userName: "u" }, j: { userName: "v" }, k: { userName: "u" } },
    grants: { held: ["i"] },
  });
  const rules = {
    ...item.rules!,
    roles: [
      ...item.rules!.roles!,
      { name: "empty", privileges: [] },
      { name: "unassigned", privileges: ["orphan"] },
    ],
    roleAssignments: [
      ...item.rules!.roleAssignments!,
      { role: "empty", identities: ["i"] },
      { role: "unassigned", identities: ["nobody"] },
    ],
  };
  const found = lintItem({ ...item, rules }, "$", null).map(({ code, path }) => `${code} ${path}`);
  assert.deepEqual(found, [
    "identity-repeated $.rules.identities[2]",
    "assignment-empty $.rules.roleAssignments[2]",
    "role-empty $.rules.roles[1]",
    "role-unassigned $.rules.roles[2]",
    "privilege-unassigned $.rules.privileges[1]",
    "identity-unassigned $.rules.identities[1]",
    "identity-unassigned $.rules.identities[2]",
  ]);
});

Deno.test("lintItem() says what an item without privileges does", () => {
  assert.deepEqual(codes({ defaultAccess: "allow" }), ["everything-allowed"]);
  assert.deepEqual(codes({ defaultAccess: "deny", mode: "disabled" }), [
    "nothing-enforced",
    "everything-denied",
  ]);
  assert.deepEqual(lintItem({ ...sampleItem(), rules: null }, "$", null).length, 1);
});

Deno.test("lintItem() finds a privilege that a broader one makes needless", () => {
  const broad = { privileges: { broad: "/a", narrow: ["/a/b", { k: "v" }] } } as const;
  const identities = {
    u: { userName: "u" },
    v: { userName: "v" },
    ux: { userName: "u", exePath: "/x" },
  };
  const shadows = (broadHolders: string[], narrowHolders: string[]) =>
    lint({ ...broad, identities, grants: { broad: broadHolders, narrow: narrowHolders } })
      .filter(({ code }) => code.startsWith("privilege-"))
      .map(({ severity, code, path }) => `${severity} ${code} ${path}`);
  const at = "$.imds.rules.privileges[1]";
  assert.deepEqual(shadows(["u"], ["u"]), [`warning privilege-shadowed ${at}`]);
  assert.deepEqual(shadows(["u", "v"], ["ux"]), [`warning privilege-shadowed ${at}`]);
  assert.deepEqual(shadows(["u"], ["v"]), [`note privilege-overridden ${at}`]);
  assert.deepEqual(shadows(["ux"], ["u"]), []);
});

Deno.test("lintItem() compares whole segments and parameters, and calls the second of two equals needless", () => {
  const shadowed = (privileges: SampleRules["privileges"]) =>
    lint({
      privileges: privileges!,
      identities: { u: { userName: "u" } },
      grants: Object.fromEntries(Object.keys(privileges!).map((name) => [name, ["u"]])),
    }).filter(({ code }) => code === "privilege-shadowed").map(({ path }) => path);
  assert.deepEqual(shadowed({ a: "/a", b: "/ab" }), []);
  assert.deepEqual(shadowed({ a: ["/a", { k: "v" }], b: "/a/b" }), []);
  assert.deepEqual(shadowed({ a: ["/a", { k: "v" }], b: ["/a", { k: "w" }] }), []);
  assert.deepEqual(shadowed({ a: "/a/b", b: "/A" }), ["$.imds.rules.privileges[0]"]);
  assert.deepEqual(shadowed({ a: ["/a", { k: "v" }], b: ["/a", { K: "V" }] }), [
    "$.imds.rules.privileges[1]",
  ]);
  assert.deepEqual(shadowed({ root: ["/", { k: "v" }], b: ["/x", { k: "v", l: "w" }] }), [
    "$.imds.rules.privileges[1]",
  ]);
});

Deno.test("lintItem() gives up comparing rules that overlap without end, and says so", () => {
  const names = Array.from({ length: 1600 }, (_, index) => `p${index}`);
  const found = lint({
    privileges: Object.fromEntries(names.map((name) => [name, ["/p", { [name]: "v" }] as const])),
    identities: { u: { userName: "u" } },
    grants: Object.fromEntries(names.map((name) => [name, ["u"]])),
  });
  assert.deepEqual(found.map(({ code }) => code), ["lint-cut-short"]);
});

Deno.test("lintItem() lists so many findings of a kind, and counts the rest", () => {
  const names = Array.from({ length: MAX_FINDINGS_OF_A_CODE + 50 }, (_, index) => `p${index}`);
  const found = lint({
    privileges: Object.fromEntries(names.map((name) => [name, `/${name}`])),
  });
  assert.equal(found.length, MAX_FINDINGS_OF_A_CODE + 1);
  assert.match(found.at(-1)?.message ?? "", /^50 more findings/);
});
