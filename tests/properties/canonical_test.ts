import assert from "node:assert/strict";
import fc from "fast-check";
import {
  asciiLower,
  CANON_CODES,
  canonicalize,
  type CanonicalRequest,
  classifyAuthority,
  percentDecodeLossy,
  percentDecodeStrict,
  renderTarget,
  splitTarget,
  strictTarget,
  unicodeLower,
} from "../../src/domain/canonical/mod.ts";
import { METHODS } from "../../src/domain/wire/mod.ts";
import { canonicalizeReference } from "../reference/canonical.ts";
import { check } from "./check.ts";

// The numbers of cases below add up to 100,000.

const PATH_ALPHABET = "abcXY01-._~/%;:@&=+$,";
const QUERY_ALPHABET = "abcXY01-._~%+";
const HOSTS = [
  "169.254.169.254",
  "0xa83f8110",
  "168.63.129.16:32526",
  "[::ffff:a9fe:a9fe]:80",
  "[fe80::1]",
  "metadata.internal:8080",
  "10.0.0.1.",
];

const over = (alphabet: string, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), maxLength });
const method = fc.constantFrom(...METHODS);

/** Pieces that the pipeline treats in some special way, so that short paths meet all of them. */
const trickyPiece = fc.constantFrom(
  ...[
    "/",
    "//",
    ".",
    "..",
    "%2e",
    "%2E",
    "%2f",
    "%2F",
    "%252f",
    "%5c",
    "\\",
    ";",
    "%3b",
    "%3F",
    "%25",
  ],
  ...["%c3%a9", "%e2%84%aa", "%c0%af", "%80", "%", "%4", "%zz", "%00", "%7f", "%20", "%23", "%41"],
  ...["a", "B", "metadata", "Identity", ";v=1", "k=v", "%c3", "%a9", "%ed%a0%80", "%ef%bb%bf"],
  ...["\u00e9", "\u{10000}", "\x01", "\x7f", "\x80", "?", "&", "=", "+", "#"],
);
const path = fc.oneof(
  over(PATH_ALPHABET, 24),
  fc.array(trickyPiece, { maxLength: 8 }).map((pieces) => pieces.join("")),
).map((text) => `/${text}`);
const pair = fc.tuple(
  over(QUERY_ALPHABET, 6),
  fc.constantFrom("=", "", "=="),
  over(QUERY_ALPHABET, 8),
)
  .map((parts) => parts.join(""));
const query = fc.array(fc.oneof(pair, trickyPiece), { maxLength: 4 })
  .map((pieces) => pieces.length === 0 ? "" : `?${pieces.join("&")}`);
const originTarget = fc.tuple(path, query).map((parts) => parts.join(""));

function sameRequest(actual: CanonicalRequest, expected: CanonicalRequest): void {
  assert.deepEqual(actual, expected);
  assert.equal(renderTarget(actual), renderTarget(expected));
}

/** Every part of a canonical request is what the rest of the program may rely on. */
function assertCanonical(request: CanonicalRequest): void {
  assert.equal(request.segments[0], "");
  for (const segment of request.segments.slice(1)) {
    assert.ok(!["", ".", ".."].includes(segment), segment);
    assert.match(segment, /^[ -.0-:<->@-~]+$/); // no slash, no semicolon, no question mark, nothing beyond ASCII
    assert.equal(segment, segment.toLowerCase());
  }
  for (const [key, values] of request.query) {
    assert.ok(key !== "" && values.length > 0);
    for (const text of [key, ...values]) {
      assert.ok(!/[A-Z]/.test(text) && text.isWellFormed());
      for (const character of text) assert.ok(character >= " " && character !== "\x7f");
    }
  }
}

Deno.test("canonicalize(), strictTarget() and the decoders take every text", () => {
  check(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.string({ unit: loneUnit, maxLength: 20 }),
      ),
      fc.constantFrom("", "/", "/?", "http://", "http://h/?k=", "*"),
      fc.oneof(method, fc.string({ maxLength: 4 })),
      (text, start, verb) => {
        const target = start + text;
        const result = canonicalize({ method: verb, target });
        if (result.ok) assertCanonical(result.value);
        else assert.ok(CANON_CODES.includes(result.error));
        const parts = splitTarget(target);
        strictTarget(parts.path, parts.query);
        assert.ok(percentDecodeLossy(target).isWellFormed());
        assert.equal(unicodeLower(unicodeLower(text)), unicodeLower(text));
      },
    ),
    10_000,
  );
});

/** Half of a surrogate pair now and then, which no encoding of bytes can hold. */
const loneUnit = fc.oneof(
  fc.constantFrom(..."/?%&=;.+aB"),
  fc.integer({ min: 0xd700, max: 0xe000 }).map((code) => String.fromCharCode(code)),
);

Deno.test("canonicalize() of a rendering gives the same request", () => {
  check(
    fc.property(method, originTarget, (verb, target) => {
      const first = canonicalize({ method: verb, target });
      if (!first.ok) return assert.ok(CANON_CODES.includes(first.error));
      assertCanonical(first.value);
      const rendered = renderTarget(first.value);
      assert.match(rendered, /^\/(?!\/)/);
      const second = canonicalize({ method: verb, target: rendered });
      assert.ok(second.ok, rendered);
      sameRequest(second.value, first.value);
      assert.equal(renderTarget(second.value), rendered);
    }),
    15_000,
  );
});

Deno.test("canonicalize() of a rendering with the host put back gives the same request", () => {
  check(
    fc.property(fc.constantFrom(...HOSTS), originTarget, (host, target) => {
      const origin = canonicalize({ method: "GET", target });
      const first = canonicalize({ method: "GET", target: `http://${host}${target}` });
      assert.equal(first.ok, origin.ok);
      if (!first.ok || !origin.ok) return assert.deepEqual(first, origin);
      assert.deepEqual({ ...first.value, destination: origin.value.destination }, origin.value);
      const again = canonicalize({
        method: "GET",
        target: `HTTP://${host}${renderTarget(first.value)}`,
      });
      assert.ok(again.ok);
      sameRequest(again.value, first.value);
    }),
    10_000,
  );
});

Deno.test("canonicalize() agrees with the plain reading of the specification", () => {
  const authority = over("0123456789axfFX.:[]@-_ %+", 18);
  const target = fc.oneof(
    fc.array(trickyPiece, { maxLength: 10 }).map((pieces) => `/${pieces.join("")}`),
    originTarget,
    fc.tuple(authority, originTarget).map(([host, rest]) => `http://${host}${rest}`),
  );
  check(
    fc.property(target, (text) => {
      const expected = canonicalizeReference("GET", text);
      const result = canonicalize({ method: "GET", target: text });
      if (typeof expected === "string" || !result.ok) {
        assert.equal(
          result.ok ? "" : comparableCode(result.error, text),
          typeof expected === "string" ? comparableCode(expected, text) : "",
          text,
        );
        return;
      }
      const { segments, trailingSlash, query, destination } = result.value;
      assert.deepEqual(segments, expected.segments);
      assert.equal(trailingSlash, expected.trailingSlash);
      assert.deepEqual(query, new Map(expected.query));
      assert.ok(expected.destination.startsWith(destination.kind), text);
    }),
    15_000,
  );
});

/** Around a stray bracket there is no telling host from port, and either code will do. */
function comparableCode(code: string, target: string): string {
  const authority = target.startsWith("/") ? "" : target.split("/")[2] ?? "";
  return code === "CANON_PORT" && /[[\]]/.test(authority) ? "CANON_HOST" : code;
}

Deno.test("classifyAuthority() reads every spelling of an address alike", () => {
  const known = fc.constantFrom(0xa9fea9fe, 0xa83f8110, 0x7f000001, 0, 0xffffffff);
  const address = fc.oneof({ weight: 1, arbitrary: known }, {
    weight: 9,
    arbitrary: fc.nat(0xffffffff),
  });
  const port = fc.constantFrom("", ":80", ":080", ":32526", ":3080");
  check(
    fc.property(address, port, fc.constantFrom("", ".", "..."), (bits, portText, dots) => {
      const octets = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255);
      const expected = classifyAuthority(octets.join(".") + portText);
      assert.ok(expected.ok);
      if (bits === 0xa9fea9fe && portText === ":080") assert.equal(expected.value.kind, "imds");
      for (const spelling of spellings(bits, octets)) {
        const host = spelling.startsWith("[") ? spelling : spelling + dots;
        assert.deepEqual(classifyAuthority(host + portText), expected, host);
      }
    }),
    20_000,
  );
});

function spellings(bits: number, octets: readonly number[]): string[] {
  const hex = (value: number) => `0x${value.toString(16)}`;
  const octal = (value: number) => `0${value.toString(8)}`;
  const group = (value: number) => value.toString(16).padStart(4, "0");
  const [a, b, c, d] = octets as [number, number, number, number];
  const groups = `${group(a * 256 + b)}:${group(c * 256 + d)}`;
  const dotted = octets.join(".");
  return [
    dotted,
    String(bits),
    hex(bits),
    hex(bits).toUpperCase(),
    `0x${bits.toString(16).padStart(8, "0")}`,
    octal(bits),
    `000${bits.toString(8)}`,
    octets.map(hex).join("."),
    octets.map(octal).join("."),
    `${hex(a)}.${octal(b)}.${c}.${d}`,
    `${a}.${b}.${c * 256 + d}`,
    `${a}.${bits % 0x1000000}`,
    `${octal(a)}.${hex(bits % 0x1000000)}`,
    `[::ffff:${dotted}]`,
    `[::ffff:${groups}]`,
    `[::FFFF:${groups.toUpperCase()}]`,
    `[0:0:0:0:0:ffff:${groups}]`,
    `[0000:0000:0000:0000:0000:ffff:${dotted}]`,
    `[0::ffff:${dotted}]`,
  ];
}

Deno.test("canonicalize() sees through letter case, escapes, parameters and dot segments", () => {
  const segment = fc.string({
    unit: fc.constantFrom(..."abcdXYZ019-_~:@&=+$,!'()* %#\\"),
    minLength: 1,
    maxLength: 8,
  });
  const spelling = fc.record({
    segment,
    seed: fc.array(fc.nat(5), { minLength: 8, maxLength: 8 }),
    extra: fc.nat(7),
  });
  check(
    fc.property(fc.array(spelling, { maxLength: 5 }), (pieces) => {
      const expected = ["", ...pieces.map((piece) => asciiLower(piece.segment))];
      let target = "/";
      for (const { segment, seed, extra } of pieces) {
        const spelt = [...segment].map((letter, index) => spell(letter, seed[index]!)).join("");
        target += ["", "./", "x/../", "%2e/", ";p=1/", "//", "x/%2E%2e/", "%2F"][extra]! + spelt +
          ["", ";v=%2f", "%3bv"][extra % 3]! + ["/", "%2F", "%2f"][extra % 3]!;
      }
      const result = canonicalize({ method: "GET", target });
      assert.ok(result.ok, target);
      assert.deepEqual(result.value.segments, expected, target);
    }),
    10_000,
  );
});

/** One way to write a character: as it is, in the other case, or escaped in either case. */
function spell(letter: string, way: number): string {
  const code = letter.charCodeAt(0);
  const escape = `%${code.toString(16).padStart(2, "0")}`;
  if (way === 0 || letter === "%" || letter === "#") return escape.toUpperCase();
  if (way === 1) return escape;
  if (!/[A-Za-z]/.test(letter)) return letter;
  const other = String.fromCharCode(code ^ 0x20);
  return way === 2 ? other : way === 3 ? `%${other.charCodeAt(0).toString(16)}` : letter;
}

Deno.test("strictTarget() lets nothing pass that could be read in a second way", () => {
  check(
    fc.property(path, query, (rawPath, rawQuery) => {
      const text = rawQuery === "" ? null : rawQuery.slice(1);
      const fault = strictTarget(rawPath, text);
      const result = canonicalize({ method: "GET", target: rawPath + rawQuery });
      if (fault !== null) return;
      // Decoding once is all there is to do: whoever decodes not at all, once or twice finds the same segments.
      const decoded = percentDecodeStrict(rawPath);
      assert.ok(decoded.ok, rawPath);
      assert.equal(percentDecodeLossy(decoded.value), decoded.value, rawPath);
      assert.equal(decoded.value.split("/").length, rawPath.split("/").length);
      assert.ok(!/[\\;?#%]|\/\/|(^|\/)\.{1,2}(\/|$)|[. ](\/|$)/.test(decoded.value), rawPath);
      if (!result.ok) return;
      const trailing = result.value.trailingSlash ? "/" : "";
      const rejoined = result.value.segments.length === 1
        ? "/"
        : result.value.segments.join("/") + trailing;
      assert.equal(rejoined, asciiLower(decoded.value));
      // What passed it once does so again.
      assert.equal(strictTarget(splitTarget(renderTarget(result.value)).path, null), null);
    }),
    10_000,
  );
});

Deno.test("unicodeLower() and asciiLower() agree on ASCII, and only the first folds the rest", () => {
  const late = fc.oneof(
    fc.constantFrom(0xa7ce, 0xa7d2, 0xa7d4),
    fc.integer({ min: 0x16ea0, max: 0x16eb8 }),
  ).map((code) => String.fromCodePoint(code));
  check(
    fc.property(fc.string({ maxLength: 12 }), fc.array(late, { maxLength: 4 }), (text, letters) => {
      const ascii = text.replace(/[^\0-\x7f]/g, "");
      assert.equal(unicodeLower(ascii), asciiLower(ascii));
      const mixed = ascii + letters.join(ascii);
      const lower = unicodeLower(mixed);
      for (const letter of letters) assert.ok(!lower.includes(letter));
      assert.equal(lower.length, mixed.length);
      assert.equal(
        asciiLower(mixed).replace(/[^\0-\x7f]/g, ""),
        asciiLower(mixed.replace(/[^\0-\x7f]/g, "")),
      );
      assert.deepEqual(asciiLower(mixed).match(/[^\0-\x7f]/gu), mixed.match(/[^\0-\x7f]/gu));
    }),
    10_000,
  );
});
