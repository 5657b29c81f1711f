import assert from "node:assert/strict";
import {
  canonicalJson,
  itemDocument,
  parseAuthorizationItem,
  parseLocalRules,
  parseRuleDescriptor,
  ruleSchema,
} from "../../../../src/domain/wire/mod.ts";

const RULES = {
  privileges: [{ name: "p", path: "/x", queryParameters: { a: "1", __proto__x: "2" } }],
  roles: [{ name: "r", privileges: ["p"] }],
  identities: [{ name: "i", userName: "u", exePath: "" }],
  roleAssignments: [{ role: "r", identities: ["i"] }],
};

function item(change: Record<string, unknown>): Record<string, unknown> {
  return { defaultAccess: "deny", mode: "Enforce", id: "x", ...change };
}

/** Path and message of the fault, or `null`. */
function faultOf(document: unknown): string | null {
  const text = typeof document === "string" ? document : JSON.stringify(document);
  const parsed = parseAuthorizationItem(text);
  return parsed.ok ? null : parsed.error.message;
}

Deno.test("parseAuthorizationItem() types every member, and null where nothing is", () => {
  const parsed = parseAuthorizationItem(JSON.stringify(item({ rules: RULES })));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.rules, {
    privileges: [{
      name: "p",
      path: "/x",
      queryParameters: new Map([["a", "1"], ["__proto__x", "2"]]),
    }],
    roles: RULES.roles,
    identities: [{ name: "i", userName: "u", groupName: null, exePath: "", processName: null }],
    roleAssignments: RULES.roleAssignments,
  });
  const bare = parseAuthorizationItem(JSON.stringify(item({ rules: { roles: null } })));
  assert.deepEqual(bare.ok && bare.value.rules, {
    privileges: null,
    roles: null,
    identities: null,
    roleAssignments: null,
  });
  const none = parseAuthorizationItem(JSON.stringify(item({ rules: null })));
  assert.equal(none.ok && none.value.rules, null);
});

Deno.test("parseAuthorizationItem() takes access and mode in any case, and nothing around them", () => {
  const read = (access: string, mode: string) => {
    const parsed = parseAuthorizationItem(JSON.stringify(item({ defaultAccess: access, mode })));
    return parsed.ok ? [parsed.value.defaultAccess, parsed.value.mode] : parsed.error.path;
  };
  assert.deepEqual(read("Allow", "ENFORCE"), ["allow", "enforce"]);
  assert.deepEqual(read(" allow", "Audit"), ["deny", "audit"]);
  assert.deepEqual(read("", "disabled"), ["deny", "disabled"]);
  assert.equal(read("allow", " enforce"), "$.mode");
  assert.equal(read("allow", ""), "$.mode");
});

Deno.test("parseAuthorizationItem() says where, what and what instead", () => {
  const cases: [unknown, string][] = [
    [item({ mode: "foo" }), '$.mode is "foo", must be Disabled, Audit or Enforce'],
    [item({ mode: 1 }), "$.mode is 1, must be Disabled, Audit or Enforce"],
    [item({ id: null }), "$.id is required"],
    [item({ id: ["a"] }), "$.id is an array, must be a string"],
    [[], "$ is an empty array, must be an object"],
    [item({ rules: [] }), "$.rules is an empty array, must be an object"],
    [item({ rules: { roles: {} } }), "$.rules.roles is an object, must be an array"],
    [item({ rules: { roles: [{ name: "r" }] } }), "$.rules.roles[0].privileges is required"],
    [
      item({ rules: { roles: [{ name: "r", privileges: ["p", null] }] } }),
      "$.rules.roles[0].privileges[1] is null, must be a string",
    ],
    [
      item({ rules: { privileges: [{ name: "p", path: "/", queryParameters: { "a b": 1 } }] } }),
      '$.rules.privileges[0].queryParameters["a b"] is 1, must be a string',
    ],
    [item({ rules: { identities: [7] } }), "$.rules.identities[0] is 7, must be an object"],
  ];
  for (const [document, message] of cases) assert.equal(faultOf(document), message);
  const long = faultOf(item({ mode: "x".repeat(1000) }));
  assert.ok(long !== null && long.length < 200, "a value is shown cut");
});

Deno.test("parseAuthorizationItem() holds every row of the strictness table", () => {
  const whole = (member: string) => `{"defaultAccess":"deny","mode":"Enforce","id":"x"${member}}`;
  const rejected: [string, string][] = [
    ["twice in a schema object", whole(',"mode":"Audit"')],
    ["the list twice", whole(',"rules":{"roles":[],"roles":[]}')],
    ["text after it", whole("") + "x"],
    ["a comment", whole("/**/")],
    ["a trailing comma", whole(",")],
    [
      "a lone surrogate in a value",
      whole(',"rules":{"roles":[{"name":"\\ud800","privileges":[]}]}'),
    ],
    ["a lone surrogate in a name", whole(',"\\udc00":1')],
    [
      "a lone surrogate in a free map",
      whole(
        ',"rules":{"privileges":[{"name":"p","path":"/","queryParameters":{"\\ud800":"a"}}]}',
      ),
    ],
    ["nesting", whole(`,"rules":{"x":${"[".repeat(200)}${"]".repeat(200)}}`)],
    ["a byte order mark", "\ufeff" + whole("")],
    ["an item as an array", '["deny","Enforce","x",null]'],
  ];
  for (const [what, text] of rejected) assert.notEqual(faultOf(text), null, what);
  const accepted: [string, string][] = [
    [
      "unknown members at every level",
      whole(
        ',"u":1,"rules":{"u":1e999,"roles":[{"name":"r","privileges":[],"u":"\\ud800"}]}',
      ),
    ],
    ["members in another order", '{"id":"x","mode":"Enforce","defaultAccess":"deny"}'],
    ["blanks around", `\n ${whole("")}\t`],
    [
      "an empty role and assignment",
      whole(
        ',"rules":{"roles":[{"name":"r","privileges":[]}],"roleAssignments":[{"role":"r","identities":[]}]}',
      ),
    ],
  ];
  for (const [what, text] of accepted) assert.equal(faultOf(text), null, what);
});

Deno.test("parseAuthorizationItem() keeps a parameter called __proto__ a parameter", () => {
  const text = JSON.stringify(item({ rules: { privileges: [{ name: "p", path: "/" }] } }))
    .replace('"path":"/"', '"path":"/","queryParameters":{"__proto__":"v"}');
  const parsed = parseAuthorizationItem(text);
  const parameters = parsed.ok ? parsed.value.rules?.privileges?.[0]?.queryParameters : null;
  assert.deepEqual([...parameters ?? []], [["__proto__", "v"]]);
  assert.equal(faultOf(text.replace('"v"', "1"))?.includes("__proto__"), true);
});

Deno.test("itemDocument() says what the item says", () => {
  const parsed = parseAuthorizationItem(JSON.stringify(item({ rules: RULES })));
  assert.ok(parsed.ok);
  assert.equal(
    canonicalJson(itemDocument(parsed.value)),
    canonicalJson(
      new Map(itemDocument({ ...parsed.value, mode: "enforce" })),
    ),
  );
  const again = parseAuthorizationItem(canonicalJson(itemDocument(parsed.value)));
  assert.deepEqual(again.ok && again.value.rules, parsed.value.rules);
});

Deno.test("parseLocalRules() reads a file, with a byte order mark and members that it does not know", () => {
  const text = '\ufeff{"id":"f","defaultAccess":"Deny","mode":"audit","rules":{"roles":[]}}';
  assert.deepEqual(parseLocalRules(text), {
    ok: true,
    value: {
      id: "f",
      defaultAccess: "deny",
      rules: { privileges: null, roles: [], identities: null, roleAssignments: null },
    },
  });
  assert.deepEqual(parseLocalRules("{}"), {
    ok: true,
    value: { id: null, defaultAccess: null, rules: null },
  });
  const padded = parseLocalRules('{"defaultAccess":" allow"}');
  assert.equal(padded.ok && padded.value.defaultAccess, "deny", "passes, and is not trimmed");
});

Deno.test("parseLocalRules() refuses what is blank or empty", () => {
  const cases: [string, string][] = [
    ['{"id":" "}', '$.id is " ", must be a text that is not blank'],
    ['{"defaultAccess":"maybe"}', '$.defaultAccess is "maybe", must be allow or deny'],
    [
      '{"rules":{"roles":[{"name":"r","privileges":[]}]}}',
      "$.rules.roles[0].privileges is an empty array, must be a list with at least one name",
    ],
    ["\ufeff\ufeff{}", "not JSON at $, offset 0"],
  ];
  for (const [text, message] of cases) {
    const parsed = parseLocalRules(text);
    assert.equal(parsed.ok ? null : parsed.error.message, message);
  }
});

Deno.test("parseRuleDescriptor() takes an object with the two members, and nothing else", () => {
  assert.deepEqual(parseRuleDescriptor('{"id":"a","useLocalFileRules":true,"x":1}'), {
    id: "a",
    useLocalFileRules: true,
  });
  assert.deepEqual(parseRuleDescriptor("{}"), { id: "", useLocalFileRules: false });
  for (
    const text of [
      "[]",
      "7",
      "{",
      '{"id":7}',
      '{"useLocalFileRules":"true"}',
      '{"id":"a","id":"b"}',
    ]
  ) {
    assert.equal(parseRuleDescriptor(text), null, text);
  }
});

Deno.test("ruleSchema() is a JSON Schema of its document", () => {
  for (const name of ["item", "local"] as const) {
    assert.equal(ruleSchema(name)["$schema"], "https://json-schema.org/draft/2020-12/schema");
  }
  assert.deepEqual(ruleSchema("item")["required"], ["defaultAccess", "mode", "id"]);
});
