import assert from "node:assert/strict";
import { splitTarget } from "../../../../src/domain/canonical/mod.ts";
import { guardTarget } from "../../../../src/domain/policy/mod.ts";
import type { EndpointName } from "../../../../src/domain/wire/mod.ts";

function guard(method: string, target: string, dialled: EndpointName | null = "imds") {
  const guarded = guardTarget(method, splitTarget(target), dialled);
  return "reason" in guarded ? [guarded.status, guarded.reason] : guarded.target.target;
}

Deno.test("guardTarget() lets a path with its query pass as it is", () => {
  for (const target of ["/", "/a/./b%2f?x=1&&y", "/a?b=..//", "/*", "/a;b", "/a?"]) {
    assert.equal(guard("GET", target), target);
    assert.equal(guard("GET", target, null), target);
  }
});

Deno.test("guardTarget() takes an absolute form of the endpoint dialled for its path, in every spelling", () => {
  const spellings: [string, EndpointName][] = [
    ["http://169.254.169.254", "imds"],
    ["http://169.254.169.254:80", "imds"],
    ["HTTP://2852039166", "imds"],
    ["http://[::ffff:169.254.169.254]", "imds"],
    ["http://168.63.129.16", "wireserver"],
    ["http://168.63.129.16:32526", "hostga"],
  ];
  for (const [origin, dialled] of spellings) {
    assert.equal(guard("GET", `${origin}/a?b`, dialled), "/a?b", origin);
    assert.equal(guard("GET", origin, dialled), "/", origin);
    for (const other of ["imds", "wireserver", "hostga", null] as const) {
      if (other === dialled) continue;
      assert.deepEqual(guard("GET", `${origin}/a`, other), [403, "ambiguous-target"], origin);
    }
  }
});

for (
  const [what, method, target, expected] of [
    ["another authority", "GET", "http://other/a", [403, "ambiguous-target"]],
    ["an authority that only begins right", "GET", "http://169.254.169.254.evil/a", [
      403,
      "ambiguous-target",
    ]],
    ["user information", "GET", "http://u@169.254.169.254/a", [403, "ambiguous-target"]],
    ["another scheme", "GET", "https://169.254.169.254/a", [403, "ambiguous-target"]],
    ["another port", "GET", "http://169.254.169.254:8080/a", [403, "ambiguous-target"]],
    ["an asterisk", "OPTIONS", "*", [403, "ambiguous-target"]],
    ["an authority alone", "GET", "h:80", [400, "bad-request"]],
    ["nothing", "GET", "", [400, "bad-request"]],
    ["a forbidden byte", "GET", "/a<b", [400, "bad-request"]],
    ["a target that is too long", "GET", `/${"a".repeat(65_534)}`, [414, "bad-request"]],
    ["traversal", "GET", "/a/../b", [403, "path-traversal"]],
    ["traversal in an absolute form", "GET", "http://169.254.169.254/a/%2e%2e/b", [
      403,
      "path-traversal",
    ]],
    ["a method, before it looks at the target", "TRACE", "foo:80", [405, "method-not-allowed"]],
  ] as [string, string, string, [number, string]][]
) {
  Deno.test(`guardTarget() refuses ${what}`, () => {
    assert.deepEqual(guard(method, target), expected);
  });
}
