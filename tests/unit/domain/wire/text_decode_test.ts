import assert from "node:assert/strict";
import { decodeBody } from "../../../../src/domain/wire/mod.ts";

const UTF8 = new TextEncoder();

Deno.test("decodeBody() takes syntax and charset from the content type", () => {
  const utf16 = Uint8Array.from([0x61, 0x00, 0xac, 0x20]);
  assert.deepEqual(decodeBody("application/json; charset=UTF-16", utf16), {
    ok: true,
    value: { syntax: "json", text: "a€" },
  });
  assert.deepEqual(decodeBody("Text/XML; charset=utf-8", UTF8.encode("<a>é</a>")), {
    ok: true,
    value: { syntax: "xml", text: "<a>é</a>" },
  });
  assert.deepEqual(decodeBody(null, UTF8.encode("{}")), {
    ok: true,
    value: { syntax: "json", text: "{}" },
  });
  assert.deepEqual(decodeBody("text/plain; charset=iso-8859-1", UTF8.encode("é")), {
    ok: true,
    value: { syntax: "json", text: "é" },
  });
  assert.deepEqual(decodeBody("text/plain; charset=utf-32", UTF8.encode("x")), {
    ok: false,
    error: "CHARSET_UNSUPPORTED",
  });
});

Deno.test("decodeBody() keeps a byte order mark before JSON, drops it elsewhere, and replaces what is malformed", () => {
  const text = (bytes: number[], type: string | null = null) => {
    const decoded = decodeBody(type, Uint8Array.from(bytes));
    return decoded.ok ? decoded.value.text : decoded.error;
  };
  assert.equal(text([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), "\ufeff{}");
  assert.equal(text([0xef, 0xbb, 0xbf, 0x3c, 0x61], "text/xml"), "<a");
  assert.equal(text([0xff, 0xfe, 0x61, 0x00], "x; charset=utf-16"), "a");
  assert.equal(text([0x61, 0xff, 0x62]), "a\ufffdb");
  assert.equal(text([0x61, 0x00, 0x62], "x; charset=utf-16"), "a\ufffd");
});
