import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { splitTarget } from "../../../../src/domain/canonical/mod.ts";
import { SigningError, stringToSign } from "../../../../src/domain/endorsement/mod.ts";
import { clientRequest, type HeaderField, type Method } from "../../../../src/domain/wire/mod.ts";
import { readVectorFile, readVectors } from "../../../vectors/read.ts";
import { SAMPLE_KEY_HEX, sampleKey } from "../sample_values.ts";

interface Signed {
  readonly method: Method;
  readonly target: string;
  readonly headers: readonly HeaderField[];
  readonly bodyHex: string;
  readonly canonicalSha256: string;
  readonly canonicalLength: number;
  readonly signature: string;
}

const AGENT_HEADERS = ["x-ms-azure-host-claims", "x-ms-azure-host-date"];

for (
  const vector of readVectors<Signed>("signing/requests.json", [
    "method",
    "target",
    "headers",
    "bodyHex",
    "canonicalSha256",
    "canonicalLength",
    "signature",
  ])
) {
  Deno.test(`stringToSign() and the key sign ${vector.id}`, () => {
    const { method, headers } = vector;
    const request = clientRequest({
      method,
      target: splitTarget(vector.target),
      headers,
      framing: { kind: "none" },
    });
    const agentHeaders = headers.filter(([name]) => AGENT_HEADERS.includes(name));
    const text = stringToSign({
      method,
      path: request.path,
      query: request.query,
      headers: [...request.headers, ...agentHeaders],
      body: Buffer.from(vector.bodyHex, "hex"),
    });
    assert.equal(Buffer.from(text).byteLength, vector.canonicalLength, vector.why);
    assert.equal(createHash("sha256").update(text).digest("hex"), vector.canonicalSha256);
    assert.equal(sampleKey().secret.mac(text), vector.signature);
  });
}

Deno.test("the signing vectors use the published example key", () => {
  assert.equal(readVectorFile("signing/requests.json")["keyHex"], SAMPLE_KEY_HEX);
});

const PARTS = { method: "GET", path: "/", query: null, headers: [], body: null } as const;

function text(headers: readonly HeaderField[], body: Uint8Array | null = null): string {
  return Buffer.from(stringToSign({ ...PARTS, headers, body })).toString("latin1");
}

Deno.test("stringToSign() keeps the line feed between path and query and has none behind", () => {
  assert.equal(text([]), "GET\n\n/\n");
});

Deno.test("stringToSign() treats an empty body like none", () => {
  assert.equal(text([], new Uint8Array()), text([], null));
});

Deno.test("stringToSign() sorts names by bytes and takes the last of repeated ones", () => {
  const headers: HeaderField[] = [
    ["a_b", "1"],
    ["z", "2"],
    ["ab", "3"],
    ["a-b", "4"],
    ["a0b", "5"],
    ["z", "6"],
    ["z", ""],
  ];
  assert.equal(text(headers), "GET\n\na-b:4\na0b:5\na_b:1\nab:3\nz:\n/\n");
  assert.deepEqual(headers[0], ["a_b", "1"], "the head itself stays as it was");
});

Deno.test("stringToSign() leaves the signature itself out", () => {
  assert.equal(text([["x-ms-azure-host-authorization", "v"], ["a", "b"]]), "GET\n\na:b\n/\n");
});

Deno.test("stringToSign() refuses bytes that could forge a line", () => {
  const values = ["a\nb:c", "a\r", "a\0", "a\x7f", "é", "€", "\x80"];
  for (const value of values) {
    assert.throws(() => text([["a", value]]), {
      name: "SigningError",
      code: "SIGNING_HEADER_SYNTAX",
    }, JSON.stringify(value));
  }
  for (const name of ["", "a b", "a:b", "a\nb", "A", "é"]) {
    assert.throws(
      () => text([[name, "v"]]),
      { code: "SIGNING_HEADER_SYNTAX" },
      JSON.stringify(name),
    );
  }
  assert.equal(text([["a", "b\tc ~"]]), "GET\n\na:b\tc ~\n/\n");
});

Deno.test("stringToSign() refuses a target that is not ASCII, with and without a body", () => {
  for (const path of ["/é", "/€", "/😀", "/\ud800"]) {
    for (const body of [null, Uint8Array.of(1)]) {
      assert.throws(() => stringToSign({ ...PARTS, path, body }), (error: unknown) => {
        assert.ok(error instanceof SigningError);
        assert.equal(error.code, "SIGNING_NOT_ASCII");
        assert.ok(!error.message.includes(path));
        return true;
      });
    }
  }
});
