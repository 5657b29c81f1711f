import assert from "node:assert/strict";
import { divergenceLine } from "../../../../src/domain/policy/mod.ts";

Deno.test("divergenceLine() has the fields of the contract in their order", () => {
  const verdict = { compat: "allow", canonical: "deny" } as const;
  assert.equal(
    divergenceLine("shadow", "r-useLocalFileRules-false", verdict, "/m/instances?a=b"),
    "CANON_DIVERGENCE mode=shadow rule_set=r-useLocalFileRules-false legacy=allow canon=deny " +
      'uri="/m/instances?a=b"',
  );
  assert.equal(
    divergenceLine("enforce", "r", { compat: "deny", canonical: "allow" }, "/m"),
    'CANON_DIVERGENCE mode=enforce rule_set=r legacy=deny canon=allow uri="/m"',
  );
});

Deno.test("divergenceLine() names the code of a request without canonical form", () => {
  const verdict = { compat: "allow", canonical: "CANON_EMBQ" } as const;
  assert.equal(
    divergenceLine("shadow", "r", verdict, "/m%3Fa=b"),
    'CANON_DIVERGENCE mode=shadow rule_set=r legacy=allow canon=error:CANON_EMBQ uri="/m%3Fa=b"',
  );
});

Deno.test("divergenceLine() is silent where both agree, an error being a denial, and in compat", () => {
  const target = "/m";
  assert.equal(divergenceLine("shadow", "r", { compat: "deny", canonical: "deny" }, target), null);
  assert.equal(
    divergenceLine("enforce", "r", { compat: "allow", canonical: "allow" }, target),
    null,
  );
  assert.equal(
    divergenceLine("shadow", "r", { compat: "deny", canonical: "CANON_PCT" }, target),
    null,
  );
  assert.equal(divergenceLine("compat", "r", { compat: "allow", canonical: "deny" }, target), null);
});

Deno.test("divergenceLine() lets neither target nor id forge a field, and bounds both", () => {
  const verdict = { compat: "allow", canonical: "deny" } as const;
  const line = divergenceLine("shadow", "a b\nlegacy=deny", verdict, '/"\\ canon=allow')!;
  assert.equal(
    line,
    "CANON_DIVERGENCE mode=shadow rule_set=a_b_legacy=deny legacy=allow canon=deny " +
      'uri="/\\"\\\\ canon=allow"',
  );
  const long = divergenceLine("shadow", "i".repeat(5_000), verdict, "/".repeat(5_000))!;
  assert.ok(long.length < 2_200, String(long.length));
});
