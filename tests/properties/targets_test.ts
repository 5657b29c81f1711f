import assert from "node:assert/strict";
import fc from "fast-check";
import { checkTarget, isTraversal, splitTarget } from "../../src/domain/canonical/mod.ts";
import { check } from "./check.ts";

const target = fc.string({ unit: fc.constantFrom(..."ab./%2eE25?#&=:@*h t"), maxLength: 24 });

Deno.test("splitTarget() loses nothing but the fragment", () => {
  check(
    fc.property(target, (text) => {
      const parts = splitTarget(text);
      assert.equal(parts.target, text.split("#")[0]);
      const stem = parts.query === null
        ? parts.target
        : parts.target.slice(0, -parts.query.length - 1 || undefined);
      if (parts.form === "origin" || parts.form === "asterisk") assert.equal(parts.path, stem);
      if (parts.form === "absolute") {
        assert.ok(stem.endsWith((parts.authority ?? "") + parts.path) || parts.path === "/");
      }
      assert.deepEqual(splitTarget(parts.target), parts);
    }),
    2000,
  );
});

Deno.test("isTraversal() agrees with decoding once, byte by byte", () => {
  check(
    fc.property(target, (path) => {
      const decoded = path.replace(
        /%([0-9a-fA-F]{2})/g,
        (_, hex) => String.fromCharCode(parseInt(hex, 16)),
      );
      assert.equal(isTraversal(path), path.includes("//") || decoded.includes(".."));
    }),
    5000,
  );
});

Deno.test("checkTarget() accepts only visible ASCII", () => {
  check(
    fc.property(fc.string({ unit: "binary", maxLength: 12 }), (text) => {
      const parts = splitTarget(`/${text}`);
      if (checkTarget(parts).ok) assert.match(parts.target, /^[!-~]+$/);
    }),
    2000,
  );
});
