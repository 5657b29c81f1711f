import assert from "node:assert/strict";
import fc from "fast-check";
import { redact, redactedText } from "../../src/domain/identity/mod.ts";
import { redactSource } from "../../src/domain/identity/redaction.ts";
import type { CharSource } from "../../src/domain/identity/redaction_finders.ts";
import { check } from "./check.ts";

const BASE32 = "abcdefgh234567".repeat(3) + "abcdefghij";
/** What secrets are made of, so that random texts come near to them. */
const piece = fc.oneof(
  fc.constantFrom(
    ...[
      "password",
      "pwd",
      "sig",
      "token",
      "secret",
      "key",
      "bearer",
      "authorization",
      "client_secret",
    ],
    ...[
      "=",
      ":",
      ";",
      "&",
      " ",
      "  ",
      "\t",
      "\n",
      '"',
      "'",
      "\\",
      "-",
      "--",
      "_",
      ".",
      "/",
      "@",
      "+",
      "[",
      "]",
    ],
    ...[
      "eyJ",
      "eyJa.eyJb",
      "AzCa",
      "AZDO",
      "://",
      "http://",
      "u:p@h",
      "BEGIN ",
      "PRIVATE KEY",
      "-----END ",
    ],
    ...["[REDACTED]", "basic", "ado", "pat", "a", "B7", "é", "😀", "\ud800"],
    ...[
      "a".repeat(20),
      "A1".repeat(20),
      "A1b2".repeat(10) + "abc=",
      "Zz09".repeat(21) + "ab==",
      BASE32,
    ],
  ),
  fc.string({ maxLength: 3 }),
);
const text = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(""));

/** Counts how often characters are read; a slice counts for each of its characters. */
class CountedText implements CharSource {
  reads = 0;
  constructor(readonly text: string) {}
  get length(): number {
    return this.text.length;
  }
  code(index: number): number {
    this.reads++;
    return index >= 0 && index < this.text.length ? this.text.charCodeAt(index) : -1;
  }
  slice(start: number, end: number): string {
    this.reads += end - start;
    return this.text.slice(start, end);
  }
}

Deno.test("redact() is total and redacting again changes nothing", () => {
  check(
    fc.property(text, (text) => {
      const once = redact(text);
      assert.equal(redact(once), once);
    }),
    20_000,
  );
});

Deno.test("redact() finds with its quick tests what it finds without", () => {
  check(
    fc.property(text, (text) => assert.equal(redact(text), redactSource(new CountedText(text)))),
    5000,
  );
});

Deno.test("redact() keeps everything outside the secrets, in order", () => {
  check(
    fc.property(text, (text) => {
      let from = 0;
      for (const kept of redact(text).split("[REDACTED]")) {
        const at = text.indexOf(kept, from);
        assert.ok(at >= from, JSON.stringify({ kept, text }));
        from = at + kept.length;
      }
    }),
    5000,
  );
});

Deno.test("redactedText() never returns more than the cap lets grow", () => {
  check(
    fc.property(fc.array(text, { maxLength: 60 }), (texts) => {
      const long = texts.join(" ").repeat(3);
      assert.ok(redactedText(long).length <= 4096 * 3);
    }),
    100,
  );
});

/** Reads per character that the scanner may take: seven classes, each with a bounded look ahead. */
const MAX_READS_PER_CHARACTER = 120;

Deno.test("redactSource() reads each character a bounded number of times, whatever the text", () => {
  const unit = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(""));
  check(
    fc.property(unit, (unit) => {
      const source = new CountedText(
        unit.repeat(Math.ceil(4096 / Math.max(unit.length, 1))).slice(0, 4096),
      );
      redactSource(source);
      assert.ok(
        source.reads <= MAX_READS_PER_CHARACTER * source.length,
        `${source.reads} for ${JSON.stringify(unit)}`,
      );
    }),
    2000,
  );
});

const ADVERSARIAL = [
  "eyJa.eyJbpwd://",
  "eyJ",
  "eyJ.",
  "key=!",
  "key:",
  "secret=",
  "token ",
  "password ",
  "://",
  "a://",
  "a:b@",
  "://@",
  "BEGIN ",
  "BEGIN PRIVATE KEY",
  "BEGIN A PRIVATE KE",
  "-----END ",
  "AzCa",
  "A",
  "A1",
  "=",
  "a=",
  "'",
  '"',
  "\\",
  '\\"',
  "--",
  "authorization ",
  "authorization:",
  "pat",
  "tokentoken",
  "ado" + BASE32.slice(0, 51),
  BASE32.slice(0, 51) + "!",
  "A1b2".repeat(10) + "!",
  "key=" + "a1".repeat(9) + "!",
  'bearer "',
  "key '",
  "sig=",
  "pwd=;",
  "authorization basi",
  " \t",
  "http://" + "a".repeat(19) + "@",
];

Deno.test("redactSource() stays linear on texts made to be slow", () => {
  for (const unit of ADVERSARIAL) {
    const reads = [2048, 4096].map((length) => {
      const source = new CountedText(unit.repeat(Math.ceil(length / unit.length)).slice(0, length));
      redactSource(source);
      return source.reads;
    });
    assert.ok(reads[1]! <= MAX_READS_PER_CHARACTER * 4096, `${reads[1]} for ${unit}`);
    assert.ok(
      reads[1]! <= reads[0]! * 2.2 + 1000,
      `${reads} for ${unit}: twice the text, twice the reads`,
    );
  }
});
