/**
 * No spelling of a denied address is ever allowed in `enforce`: whatever letter case, escapes, parameters, dot segments,
 * separators or repeated parameters a caller tries. 100,000 cases in all.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type CallerClaims,
  type CompiledItem,
  compileItem,
  evaluate,
  questionOf,
} from "../../src/domain/policy/mod.ts";
import type { PrivilegeDocument } from "../reference/documents.ts";
import { check } from "./check.ts";
import { productionItem } from "./production.ts";

const CLAIMS: CallerClaims = {
  userName: "alice",
  userGroups: ["users"],
  processName: "curl",
  processFullPath: "/usr/bin/curl",
  elevated: false,
};
const DENIED: readonly (readonly string[])[] = [
  ["metadata", "identity", "oauth2", "token"],
  ["metadata", "attested", "document"],
  ["machine"],
  ["metadata", "scheduledevents"],
];
const GRANTED = ["metadata", "instance"];
const PARAMETER = ["comp", "certificates"] as const;

/** An item with one privilege, which everybody has or nobody. */
function itemOf(privilege: Omit<PrivilegeDocument, "name">, grantedToAll: boolean): CompiledItem {
  const rules = {
    privileges: [{ name: "p", ...privilege }],
    roles: [{ name: "r", privileges: ["p"] }],
    identities: [{ name: "anybody" }],
    roleAssignments: [{ role: "r", identities: grantedToAll ? ["anybody"] : [] }],
  };
  const defaultAccess = grantedToAll ? "deny" : "allow";
  return compileItem(productionItem({ defaultAccess, mode: "enforce", id: "r", rules })).compiled;
}

const restricted = DENIED.map((segments) => itemOf({ path: `/${segments.join("/")}` }, false));
const grantedSibling = itemOf({ path: `/${GRANTED.join("/")}` }, true);
const restrictedParameter = itemOf(
  { path: "/machine", queryParameters: { [PARAMETER[0]]: PARAMETER[1] } },
  false,
);

const escape = (character: string) =>
  [...new TextEncoder().encode(character)]
    .map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
/** How one letter may be written. The Kelvin sign and the long s become ASCII where case is folded by all of Unicode. */
const style = fc.constantFrom(
  ...["plain", "plain", "plain", "plain", "upper", "escaped", "ESCAPED", "upper escaped"],
  ...["doubled", "look-alike"],
);
const styles = fc.array(style, { minLength: 1, maxLength: 12 });
function written(text: string, chosen: readonly string[]): string {
  return [...text].map((letter, index) => {
    switch (chosen[index % chosen.length]) {
      case "upper":
        return letter.toUpperCase();
      case "escaped":
        return escape(letter);
      case "ESCAPED":
        return escape(letter).toUpperCase();
      case "upper escaped":
        return escape(letter.toUpperCase());
      case "doubled":
        return escape(letter).replace("%", "%25");
      case "look-alike":
        return letter === "k" ? "%E2%84%AA" : letter;
      default:
        return letter;
    }
  }).join("");
}

const separator = fc.constantFrom(
  ...["/", "/", "/", "/", "%2F", "%2f", "//", "/./", "/%2e/", "/%2F", "\\", "%5C", "/;v=1/", ";x/"],
  ...["/x/../", "/x/%2e%2E/", "/x/..;/", "%252F", "/.//"],
);
const ending = fc.constantFrom(
  ...["", "", "", "/", "/more", "%2F", "/.", ";jsessionid=1", "%3Ba", "?a=b", "?", "%3Fa=b", "%00"],
  ...["%20", ".", "./", "%2E", "%23x", "#x", "/..;/x/../", "?;", "?a=%zz"],
);
const opening = fc.constantFrom("/", "/", "/", "/", "/./", "/%2e/", "/;a/", "//", "/x/../", "/%2F");

/** A spelling of the path of these segments: some server may take it for that path. */
const spelling = (segments: readonly string[]) =>
  fc.tuple(
    opening,
    fc.array(fc.tuple(styles, separator), {
      minLength: segments.length,
      maxLength: segments.length,
    }),
    ending,
  ).map(([first, pieces, last]) =>
    first + segments.map((segment, index) => {
      const [chosen, between] = pieces[index]!;
      return written(segment, chosen) + (index === segments.length - 1 ? "" : between);
    }).join("") + last
  );

function allows(item: CompiledItem, target: string): boolean {
  return evaluate(item, questionOf("GET", target, CLAIMS), "enforce").allowed;
}

const deniedPath = fc.nat(DENIED.length - 1)
  .chain((index) => spelling(DENIED[index]!).map((target) => ({ index, target })));

Deno.test("evaluate() in enforce lets no spelling of a restricted path pass", () => {
  for (const [index, item] of restricted.entries()) {
    assert.ok(!allows(item, `/${DENIED[index]!.join("/")}`));
    assert.ok(allows(item, "/metadata/instance"), "what is not restricted passes");
  }
  check(
    fc.property(deniedPath, ({ index, target }) => {
      assert.ok(!allows(restricted[index]!, target), target);
    }),
    40_000,
  );
});

Deno.test("evaluate() in enforce lets no detour through a granted path reach another one", () => {
  assert.ok(allows(grantedSibling, "/metadata/instance/compute"));
  const up = fc.constantFrom(
    "/..",
    "/%2e%2e",
    "/.%2E",
    "%2F..",
    "/..;x",
    "\\..",
    "%5c..",
    "/%252e.",
  );
  const detour = fc.tuple(
    spelling(GRANTED).filter((target) => !/[?#]|%3F/i.test(target)),
    fc.array(up, { minLength: 2, maxLength: 4 }),
    deniedPath,
  ).map(([granted, ups, { target }]) => granted + ups.join("") + target);
  check(
    fc.property(detour, (target) => assert.ok(!allows(grantedSibling, target), target)),
    30_000,
  );
});

Deno.test("evaluate() in enforce lets no repeated or hidden parameter reach what a parameter guards", () => {
  assert.ok(!allows(restrictedParameter, "/machine/?comp=certificates"));
  assert.ok(allows(restrictedParameter, "/machine/?comp=goalstate"));
  const [key, value] = PARAMETER;
  const other = fc.constantFrom("comp=goalstate", "a=b", "", "=", "comp", "COMP=", "a", "x=comp");
  const pair = fc.tuple(
    styles.filter((chosen) => !chosen.includes("doubled")),
    styles.filter((chosen) => !chosen.includes("doubled")),
  ).map(([left, right]) => `${written(key, left)}=${written(value, right)}`);
  const query = fc.tuple(
    fc.array(other, { maxLength: 3 }),
    pair,
    fc.array(other, { maxLength: 3 }),
    fc.constantFrom("&", "&&"),
    fc.constantFrom("?", "?", "%3F", "?&"),
  ).map(([before, guarded, after, joint, mark]) =>
    mark + [...before, guarded, ...after].join(joint)
  );
  const target = fc.tuple(spelling(["machine"]).filter((path) => !/[?#]|%3F/i.test(path)), query)
    .map((parts) => parts.join(""));
  check(
    fc.property(target, (target) => assert.ok(!allows(restrictedParameter, target), target)),
    30_000,
  );
});
