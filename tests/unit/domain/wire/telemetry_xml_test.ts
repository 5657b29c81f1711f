import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { escapeXml } from "../../../../src/domain/wire/mod.ts";

Deno.test("escapeXml() keeps what XML has and replaces what it has not", () => {
  assert.equal(escapeXml(`&'"<>`), "&amp;&apos;&quot;&lt;&gt;");
  assert.equal(escapeXml("\t\n\r ä𝄞"), "\t\n\r ä𝄞");
  assert.equal(escapeXml("\x00\x0b\x1f\ufffe\ud800"), "\ufffd".repeat(5));
  assert.equal(escapeXml("]]>"), "]]&gt;");
});

Deno.test("the golden upload is the published one", () => {
  const url = new URL("../../../vectors/telemetry/upload.json", import.meta.url);
  const { vectors } = JSON.parse(Deno.readTextFileSync(url));
  const digest = createHash("sha256").update(vectors[0].xml).digest("hex");
  assert.equal(digest, "af8dc8e71efcecd3aec8c7bf242219d21bb8f2a9b24bf98aade361e9271c59cf");
});
