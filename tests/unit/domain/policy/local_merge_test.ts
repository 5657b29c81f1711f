import assert from "node:assert/strict";
import {
  closedItem,
  mergedItem,
  normalisedItem,
  ruleDescriptor,
} from "../../../../src/domain/policy/mod.ts";
import {
  type AuthorizationItem,
  canonicalJson,
  parseAuthorizationItem,
  parseLocalRules,
} from "../../../../src/domain/wire/mod.ts";

function item(change: Record<string, unknown>): AuthorizationItem {
  const parsed = parseAuthorizationItem(
    JSON.stringify({ defaultAccess: "allow", mode: "Enforce", id: "x", ...change }),
  );
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

function local(document: unknown) {
  const parsed = parseLocalRules(JSON.stringify(document));
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

const base64 = (document: unknown) =>
  btoa(typeof document === "string" ? document : JSON.stringify(document));
const OPT_IN = base64({ id: "ws-profile-7", useLocalFileRules: true });

Deno.test("ruleDescriptor() reads the opt-in out of a Base64 id, and takes every other id as it is", () => {
  const plain = (id: string) => ({ id, useLocalFileRules: false });
  const cases: [string, ReturnType<typeof ruleDescriptor>][] = [
    [OPT_IN, { id: "ws-profile-7", useLocalFileRules: true }],
    [`\u00a0 ${OPT_IN}\n`, { id: "ws-profile-7", useLocalFileRules: true }],
    [base64({ id: "a" }), plain("a")],
    [base64({}), plain("")],
    [base64({ id: null, useLocalFileRules: true, x: 1 }), { id: "", useLocalFileRules: true }],
    ["sigid", plain("sigid")],
    [" /subscriptions/x ", plain("/subscriptions/x")],
    ["", plain("")],
    ["  ", plain("")],
    [base64("[]"), plain(base64("[]"))],
    [base64({ id: 7 }), plain(base64({ id: 7 }))],
    [base64('{"id":"a","id":"b"}'), plain(base64('{"id":"a","id":"b"}'))],
    [btoa('{"id":"a"}\xff'), plain(btoa('{"id":"a"}\xff'))],
    [OPT_IN.replace(/=*$/, ""), plain(OPT_IN.replace(/=*$/, ""))],
    ["e30", plain("e30")],
    ["e31=", plain("e31=")],
    ["e3_=", plain("e3_=")],
  ];
  for (const [id, expected] of cases) assert.deepEqual(ruleDescriptor({ id }), expected, id);
  assert.deepEqual(ruleDescriptor(null), plain(""));
});

Deno.test("normalisedItem() shows the display id, and leaves an empty one as it came", () => {
  assert.equal(normalisedItem(item({ id: OPT_IN })).id, "ws-profile-7-useLocalFileRules-true");
  assert.equal(normalisedItem(item({ id: "sigid" })).id, "sigid-useLocalFileRules-false");
  assert.equal(normalisedItem(item({ id: " sigid " })).id, "sigid-useLocalFileRules-false");
  assert.equal(normalisedItem(item({ id: " " })).id, " ");
  const anonymous = base64({ useLocalFileRules: true });
  assert.equal(normalisedItem(item({ id: anonymous })).id, anonymous);
  const { source } = normalisedItem(item({ id: "a", other: 1 }));
  assert.deepEqual([source.get("id"), source.get("other")], ["a-useLocalFileRules-false", 1]);
});

const HOST = {
  privileges: [{ name: "p", path: "/host" }],
  roles: [{ name: "r", privileges: ["p"] }],
  identities: [{ name: "i", userName: "u" }],
  roleAssignments: [{ role: "r", identities: ["i"] }],
};
const LOCAL = {
  privileges: [{ name: "p", path: "/local" }, { name: "LocalFileRules_p", path: "/twice" }],
  roles: [{ name: "r", privileges: ["p", "LocalFileRules_p"] }],
  identities: [{ name: "i", groupName: "g" }],
  roleAssignments: [{ role: "r", identities: ["i"] }],
};

Deno.test("mergedItem() adds the file's rules under names of their own", () => {
  const merged = mergedItem(item({ id: OPT_IN, rules: HOST }), local({ id: "f", rules: LOCAL }));
  assert.equal(merged.id, "ws-profile-7-useLocalFileRules-true_f");
  const { rules } = merged;
  assert.deepEqual(rules?.privileges?.map(({ name, path }) => [name, path]), [
    ["p", "/host"],
    ["LocalFileRules_p", "/local"],
    ["LocalFileRules_LocalFileRules_p", "/twice"],
  ]);
  assert.deepEqual(rules?.roles?.[1], {
    name: "LocalFileRules_r",
    privileges: ["LocalFileRules_p", "LocalFileRules_LocalFileRules_p"],
  });
  assert.deepEqual(rules?.identities?.map(({ name, groupName }) => [name, groupName]), [
    ["i", null],
    ["LocalFileRules_i", "g"],
  ]);
  assert.deepEqual(rules?.roleAssignments?.[1], {
    role: "LocalFileRules_r",
    identities: ["LocalFileRules_i"],
  });
});

Deno.test("mergedItem() takes the rules of one side as they are", () => {
  const onlyLocal = mergedItem(item({ id: OPT_IN }), local({ rules: LOCAL }));
  assert.deepEqual(onlyLocal.rules?.roles, LOCAL.roles);
  const onlyHost = mergedItem(item({ id: OPT_IN, rules: HOST }), local({ id: "f" }));
  assert.deepEqual(onlyHost.rules?.roles, HOST.roles);
  assert.equal(mergedItem(item({}), local({})).rules, null);
  const half = mergedItem(item({ rules: { privileges: [] } }), local({ rules: { roles: [] } }));
  assert.deepEqual(half.rules, {
    privileges: [],
    roles: [],
    identities: null,
    roleAssignments: null,
  });
});

Deno.test("mergedItem() takes default access and id from the file, and the mode from the host", () => {
  const merged = mergedItem(
    item({ mode: "Audit" }),
    local({ defaultAccess: "deny", mode: "Disabled" }),
  );
  assert.deepEqual(
    [merged.defaultAccess, merged.mode, merged.id],
    ["deny", "audit", "x-useLocalFileRules-false"],
  );
  assert.equal(mergedItem(item({}), local({})).defaultAccess, "allow");
  assert.equal(
    mergedItem(item({ defaultAccess: "deny" }), local({ defaultAccess: "Allow" }))
      .defaultAccess,
    "allow",
  );
  assert.equal(
    canonicalJson(merged.source),
    '{"defaultAccess":"deny","id":"x-useLocalFileRules-false","mode":"audit"}',
  );
});

Deno.test("closedItem() grants nothing and keeps mode and id", () => {
  const closed = closedItem(item({ id: OPT_IN, mode: "Audit", rules: HOST }));
  assert.deepEqual(
    [closed.id, closed.mode, closed.defaultAccess, closed.rules],
    ["ws-profile-7-useLocalFileRules-true", "audit", "deny", null],
  );
});
