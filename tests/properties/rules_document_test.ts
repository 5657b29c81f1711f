import assert from "node:assert/strict";
import fc from "fast-check";
import * as z from "zod/mini";
import { isJsonObject } from "../../src/domain/wire/canonical_json.ts";
import {
  itemReader,
  type JsonValue,
  parseKeyStatus,
  parseLocalRules,
  parseStrictJson,
} from "../../src/domain/wire/mod.ts";
import { DEFINITIONS } from "../../tools/schema/definition.ts";
import { check } from "./check.ts";

/** A parsed document as the schema library wants it: objects without a prototype, free maps as maps. */
function forLibrary(value: JsonValue, name = ""): unknown {
  if (value === null || typeof value !== "object") return value;
  if (!isJsonObject(value)) return value.map((element) => forLibrary(element));
  if (name === "queryParameters") return new Map([...value].map(([k, v]) => [k, forLibrary(v)]));
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, member] of value) object[key] = forLibrary(member, key);
  return object;
}

const NOTHING = Symbol("nothing");
const word = fc.constantFrom(
  "",
  " ",
  "a",
  "n1",
  "allow",
  " Deny",
  "Enforce",
  "AUDIT",
  "foo",
  "\u2003",
);
/** Mostly what belongs there, sometimes not. */
const odd = fc.constantFrom<unknown>(null, 7, true, "x", [], {}, ["a", 1], { a: 1 }, NOTHING);
const mostly = (good: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 24, arbitrary: good }, { weight: 1, arbitrary: odd });
const object = (members: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(Object.fromEntries(Object.entries(members).map(([k, v]) => [k, mostly(v)])))
    .map((made) => Object.fromEntries(Object.entries(made).filter(([, v]) => v !== NOTHING)));
const list = (element: fc.Arbitrary<unknown>) =>
  fc.array(mostly(element), { maxLength: 3 }).map((made) => made.filter((v) => v !== NOTHING));
const rules = object({
  privileges: list(object({
    name: word,
    path: word,
    queryParameters: fc.dictionary(fc.constantFrom("a", " ", "__proto__"), mostly(word)),
  })),
  roles: list(object({ name: word, privileges: list(word) })),
  identities: list(object({ name: word, userName: word, groupName: word, exePath: word })),
  roleAssignments: list(object({ role: word, identities: list(word) })),
});
const item = object({
  defaultAccess: word,
  mode: fc.constantFrom("Enforce", "audit", "DISABLED", "enforce "),
  id: word,
  rules,
  unknown: fc.anything({ maxDepth: 1 }),
});
const status = object({
  authorizationScheme: word,
  keyDeliveryMethod: word,
  version: fc.constantFrom("1.0", "2.0"),
  secureChannelEnabled: fc.boolean(),
  secureChannelState: fc.constantFrom("disabled", "WireServer", "wireserverandimds", "audit"),
  keyIncarnationId: fc.constantFrom(0, 7, 4294967295, 4294967296, -1, 1.5),
  authorizationRules: object({ imds: item, wireserver: item, hostga: item }),
});
const local = object({ id: word, defaultAccess: word, rules });

/** Paths of what the library objects to; `null` when it accepts. */
function objections(schema: z.ZodMiniType, text: string): string[] | null {
  const parsed = parseStrictJson(text);
  assert.ok(parsed.ok, text);
  const outcome = schema.safeParse(forLibrary(parsed.value));
  if (outcome.success) return null;
  return outcome.error.issues.map(({ path }) =>
    path.reduce<string>(
      (at, step) => at + (typeof step === "number" ? `[${step}]` : `.${String(step)}`),
      "$",
    )
  );
}

function agree(schema: z.ZodMiniType, text: string, path: string | null): void {
  const expected = objections(schema, text);
  if (path === null) assert.equal(expected, null, text);
  else assert.ok(expected?.includes(path), `${path} of ${JSON.stringify(expected)} in ${text}`);
}

/** Names with special characters are written otherwise in a path; here only the blank is one. */
function plainPath(path: string): string {
  return path.replaceAll('[" "]', ". ");
}

const textOf = (value: unknown) => JSON.stringify(value) ?? "null";

Deno.test("itemReader() accepts what the definition accepts, and names a place that it objects to", () => {
  const read = itemReader();
  let accepted = 0;
  check(
    fc.property(mostly(item), (value) => {
      const text = value === NOTHING ? "null" : textOf(value);
      const parsed = parseStrictJson(text);
      assert.ok(parsed.ok);
      const outcome = read(parsed.value);
      if (outcome.ok) accepted++;
      agree(
        DEFINITIONS.authorization_item,
        text,
        outcome.ok ? null : plainPath(outcome.error.path),
      );
    }),
    1_000,
  );
  assert.ok(accepted > 50, `${accepted}`);
});

Deno.test("parseLocalRules() accepts what the definition accepts, and names a place that it objects to", () => {
  check(
    fc.property(mostly(local), (value) => {
      const text = value === NOTHING ? "null" : textOf(value);
      const outcome = parseLocalRules(text);
      agree(DEFINITIONS.local_rules, text, outcome.ok ? null : plainPath(outcome.error.path));
    }),
    1_000,
  );
});

Deno.test("parseKeyStatus() accepts nothing that the definition does not accept", () => {
  check(
    fc.property(mostly(status), (value) => {
      const text = value === NOTHING ? "null" : textOf(value);
      const outcome = parseKeyStatus(text);
      const expected = objections(DEFINITIONS.key_status, text);
      if (outcome.ok) return assert.equal(expected, null, text);
      // What depends on the version is looked at once the document has its form.
      if (expected === null) return assert.match(outcome.error.path, /^\$\.secureChannel/);
      assert.ok(
        expected.includes(plainPath(outcome.error.path)),
        `${outcome.error.path} in ${text}`,
      );
    }),
    1_000,
  );
});
