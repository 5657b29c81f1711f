import assert from "node:assert/strict";
import {
  AMBIGUOUS,
  DIFFERENT,
  EQUIVALENT,
  escapePath,
  escapeQueryText,
  type Mutation,
  REPEATED,
  targetOf,
} from "../../../../src/domain/policy/self_test_requests.ts";
import { canonicalize, renderTarget, strictTarget } from "../../../../src/domain/canonical/mod.ts";

const BASE = {
  path: "/metadata/%20instance/",
  pairs: [["%2Bk", "v%26"], ["b", "1"]],
  unknownKey: "free",
} as const;
const ROOT = { path: "/", pairs: [], unknownKey: "free" } as const;

function made(mutations: readonly Mutation[], base: Parameters<Mutation["make"]>[0]) {
  return Object.fromEntries(mutations.map(({ name, make }) => [name, make(base)]));
}

function canonical(target: string): string {
  const request = canonicalize({ method: "GET", target });
  return request.ok ? renderTarget(request.value) : request.error;
}

Deno.test("EQUIVALENT changes the spelling and nothing else", () => {
  assert.deepEqual(made(EQUIVALENT, BASE), {
    "path-case": "/METADATA/%20INSTANCE/?%2Bk=v%26&b=1",
    "path-escape": "/%6Detadata/%20instance/?%2Bk=v%26&b=1",
    "extra-parameter": "/metadata/%20instance/?%2Bk=v%26&b=1&free=1",
    "parameter-order": "/metadata/%20instance/?free=1&b=1&%2Bk=v%26",
    "key-case": "/metadata/%20instance/?%2BK=v%26&b=1",
    "key-escape": "/metadata/%20instance/?%2B%6B=v%26&b=1",
    "value-case": "/metadata/%20instance/?%2Bk=V%26&b=1",
    "value-escape": "/metadata/%20instance/?%2Bk=%76%26&b=1",
  });
  const plain = canonical(targetOf(BASE.path, BASE.pairs));
  for (const [name, target] of Object.entries(made(EQUIVALENT, BASE))) {
    assert.equal(
      canonical(target!.replace(/[&?]free=1/, (text) => text[0] === "?" ? "?" : "")),
      plain,
      name,
    );
  }
});

Deno.test("DIFFERENT changes what is asked for", () => {
  assert.deepEqual(made(DIFFERENT, BASE), {
    "sibling-suffix": "/metadata/%20instancex?%2Bk=v%26&b=1",
    "sibling-segment": "/metadata/self-test-sibling?%2Bk=v%26&b=1",
    "parent-path": "/metadata?%2Bk=v%26&b=1",
    "missing-parameter": "/metadata/%20instance/?b=1",
    "other-value": "/metadata/%20instance/?%2Bk=v%26x&b=1",
    "other-key": "/metadata/%20instance/?%2Bkx=v%26&b=1",
  });
  const plain = canonical(targetOf(BASE.path, BASE.pairs));
  for (const target of Object.values(made(DIFFERENT, BASE))) {
    assert.notEqual(canonical(target!), plain);
  }
  assert.equal(made(DIFFERENT, { ...BASE, path: "/one" })["parent-path"], "/?%2Bk=v%26&b=1");
});

Deno.test("REPEATED repeats a key", () => {
  assert.deepEqual(made(REPEATED, BASE), {
    "repeated-parameter": "/metadata/%20instance/?%2Bk=v%26&b=1&%2Bk=v%26",
    "repeated-parameter-other-value": "/metadata/%20instance/?%2Bk=v%26&b=1&%2Bk=v%26x",
  });
});

Deno.test("AMBIGUOUS makes targets that are not strict", () => {
  for (const base of [BASE, ROOT, { ...ROOT, path: "/a" }, { ...BASE, path: "/1/2" }]) {
    for (const [name, target] of Object.entries(made(AMBIGUOUS, base))) {
      if (target === null) continue;
      const [path, query] = target.split("?");
      assert.notEqual(strictTarget(path!, query ?? null), null, `${name} ${target}`);
    }
  }
  assert.equal(made(AMBIGUOUS, BASE)["encoded-slash"], "/metadata%2F%20instance?%2Bk=v%26&b=1");
  assert.equal(
    made(AMBIGUOUS, BASE)["encoded-query-mark"],
    "/metadata/%20instance/%3F%2Bk=v%26&b=1",
  );
  assert.equal(made(AMBIGUOUS, ROOT)["encoded-query-mark"], "/%3Ffree=1");
});

Deno.test("mutations are null where there is nothing to change", () => {
  const isNull = (mutations: readonly Mutation[], base: typeof ROOT | typeof BASE) =>
    Object.entries(made(mutations, base)).filter(([, target]) => target === null).map(([name]) =>
      name
    );
  assert.deepEqual(isNull(DIFFERENT, ROOT), DIFFERENT.map(({ name }) => name));
  assert.deepEqual(isNull(REPEATED, ROOT), REPEATED.map(({ name }) => name));
  assert.deepEqual(isNull(EQUIVALENT, ROOT), [
    "path-case",
    "path-escape",
    "key-case",
    "key-escape",
    "value-case",
    "value-escape",
  ]);
  assert.deepEqual(isNull(AMBIGUOUS, ROOT), ["double-encoding"]);
});

Deno.test("escapePath() and escapeQueryText() leave only what a target may hold", () => {
  assert.equal(escapePath("/a b/\u00e9?#%\u{1f600}~"), "/a%20b/%C3%A9%3F%23%25%F0%9F%98%80~");
  assert.equal(escapeQueryText("a/b=c&d+e"), "a%2Fb%3Dc%26d%2Be");
});
