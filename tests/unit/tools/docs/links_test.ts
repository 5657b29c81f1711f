import assert from "node:assert/strict";
import { anchors, brokenLinks, linksIn } from "../../../../tools/docs/links.ts";

Deno.test("linksIn() finds relative links and leaves addresses and code alone", () => {
  const text = [
    "See [one](docs/a.md) and [two](<b c.md>).",
    "`[code](no.md)` [web](https://example.com)",
    "```",
    "[fenced](no.md)",
    "```",
    "[ref]: ../c.md",
  ].join("\n");
  assert.deepEqual(linksIn(text), [
    { target: "docs/a.md", line: 1 },
    { target: "../c.md", line: 6 },
  ]);
});

Deno.test("anchors() makes an anchor for each heading, numbered when repeated", () => {
  assert.deepEqual(
    anchors("# Two words\n## `code` & more\n## Two words\n```\n# not one\n```\n"),
    new Set(["two-words", "code--more", "two-words-1"]),
  );
});

Deno.test("brokenLinks() names missing files and missing headings", () => {
  const root = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(
      `${root}/a.md`,
      "# Here\n[b](b.md#there) [c](c.md) [h](#here) [n](#no)\n",
    );
    Deno.writeTextFileSync(`${root}/b.md`, "# There\n");
    assert.deepEqual(brokenLinks(root).map((each) => each.replace(root, "")), [
      "/a.md:2: link `c.md` leads to no file",
      "/a.md:2: link `#no` leads to no heading",
    ]);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});
