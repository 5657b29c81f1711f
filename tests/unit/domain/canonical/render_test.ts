import assert from "node:assert/strict";
import { renderTarget } from "../../../../src/domain/canonical/mod.ts";

function render(
  names: readonly string[],
  trailingSlash = false,
  query: readonly (readonly [string, readonly string[]])[] = [],
): string {
  return renderTarget({ segments: ["", ...names], trailingSlash, query: new Map(query) });
}

Deno.test("renderTarget() writes one slash before each segment, and one for the root", () => {
  assert.equal(render([]), "/");
  assert.equal(render(["metadata", "instance"]), "/metadata/instance");
  assert.equal(render(["metadata"], true), "/metadata/");
  assert.equal(render([], false, [["x", ["1"]]]), "/?x=1");
});

Deno.test("renderTarget() escapes in a path what would be read as something else", () => {
  assert.equal(render(["foo bar", "a#b", "c%2f", "d?e;f"]), "/foo%20bar/a%23b/c%252f/d%3Fe%3Bf");
  assert.equal(render(["\0\x1f\x7f"]), "/%00%1F%7F");
  assert.equal(render(["é\u{10000}x"]), "/%C3%A9%F0%90%80%80x");
  assert.equal(render(["a+b=c&d\\~!"]), "/a+b=c&d\\~!");
});

Deno.test("renderTarget() escapes in a query what would be read as something else", () => {
  assert.equal(render(["m"], false, [["k", ["a b&c"]]]), "/m?k=a%20b%26c");
  assert.equal(render(["m"], false, [["a=1", ["b+c", "d#e%f"]]]), "/m?a%3D1=b%2Bc&a%3D1=d%23e%25f");
  assert.equal(render(["m"], false, [["中", ["\x7f\0\x1f"]]]), "/m?%E4%B8%AD=%7F%00%1F");
  assert.equal(render(["m"], false, [["k", ["1;b?c/d:@"]]]), "/m?k=1;b?c/d:@");
});

Deno.test("renderTarget() sorts keys and keeps the order of values", () => {
  assert.equal(
    render(["m"], false, [["b", ["2", "1"]], ["a", ["", "x"]], ["aa", ["0"]]]),
    "/m?a=&a=x&aa=0&b=2&b=1",
  );
});
