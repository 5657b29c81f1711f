import assert from "node:assert/strict";
import { neighboursOf } from "../../../../src/operator/policy_tools/neighbours.ts";

function targets(path: string, parameters: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    neighboursOf({ path, parameters: new Map(Object.entries(parameters)) })
      .map(({ name, target }) => [name, target]),
  );
}

Deno.test("neighboursOf() goes below, beside and above a path", () => {
  assert.deepEqual(targets("/metadata/instance"), {
    plain: "/metadata/instance",
    below: "/metadata/instance/policy-tool-probe",
    "longer-name": "/metadata/instancex",
    beside: "/metadata/policy-tool-probe",
    above: "/metadata",
  });
  assert.deepEqual(Object.keys(targets("/")), ["plain", "below"]);
});

Deno.test("neighboursOf() leaves out, changes and repeats each parameter", () => {
  const found = targets("/m", { a: "x y", b: "2" });
  assert.equal(found["plain"], "/m?a=x%20y&b=2");
  assert.equal(found["without-a"], "/m?b=2");
  assert.equal(found["other-b"], "/m?a=x%20y&b=2policy-tool-probe");
  assert.equal(found["repeated-b"], "/m?a=x%20y&b=2&b=policy-tool-probe");
  assert.equal(found["above"], "/?a=x%20y&b=2");
});

Deno.test("neighboursOf() asks also for the path as it is written, where that is another text", () => {
  const found = neighboursOf({ path: "/a/./b", parameters: new Map([["k", "v"]]) });
  assert.deepEqual(
    found.filter(({ name }) => name === "plain").map(({ target }) => target),
    ["/a/./b?k=v", "/a/b?k=v"],
  );
  assert.equal(targets("/machine/")["plain"], "/machine/");
  assert.deepEqual(targets("no-slash")["plain"], "/no-slash");
  assert.deepEqual(neighboursOf({ path: "/a?b", parameters: new Map() }), []);
});
