import assert from "node:assert/strict";
import { redact, redactedText } from "../../../../src/domain/identity/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Text {
  readonly text: string;
  readonly redacted: string;
}

for (const vector of readVectors<Text>("redaction/texts.json", ["text", "redacted"])) {
  Deno.test(`redact() handles ${vector.id}`, () => {
    assert.equal(redact(vector.text), vector.redacted, vector.why);
    assert.equal(redactedText(vector.text), vector.redacted);
  });
}

Deno.test("redact() replaces every secret of a text, each once", () => {
  assert.equal(
    redact("a sig=1&b pwd=2;c eyJhbGci.eyJz d amqp://u:p@h e"),
    "a [REDACTED]&b [REDACTED];c [REDACTED] d [REDACTED] e",
  );
});

Deno.test("redact() takes the longer of two secrets that start together", () => {
  assert.equal(redact("eyJa.b://user:pass@host x"), "[REDACTED] x");
});

Deno.test("redact() follows quotes, escaped ones too", () => {
  assert.equal(redact(`secret: 'a b' c`), "[REDACTED] c");
  assert.equal(redact(`secret: "a \\" b" c`), "[REDACTED] c");
  assert.equal(redact(`secret: "never closed`), "[REDACTED]");
  assert.equal(redact(`"key": "0123456789abcdefghij"`), `"[REDACTED]`);
});

const NAMES = [
  ...["password", "passwd", "pswd", "pwd", "AccountKey", "primary_key", "secondary-key", "sig"],
  ...["client_secret", "refresh_token", "passphrase", "credential", "credentials", "api-key"],
  ...["accessKey", "SECRET_KEY", "private_key", "shared-key", "storageKey", "masterkey"],
  ...["encryption_key", "signing-key", "Subscription-Key", "functions-key", "clientKey", "appkey"],
];

Deno.test("redact() knows every name that a secret follows", () => {
  for (const name of NAMES) assert.equal(redact(`x ${name}=abc`), "x [REDACTED]", name);
  for (const name of ["sas", "key", "bearer"]) {
    assert.equal(redact(`x ${name}=abc`), `x ${name}=abc`);
    assert.equal(redact(`x ${name}=0123456789abcdefghij`), "x [REDACTED]", name);
  }
});

const SCHEMES = [
  ...["basic", "bearer", "digest", "negotiate", "NTLM", "oauth", "DPoP", "pop", "token", "apikey"],
  ...["SharedKey", "SharedKeyLite", "SharedAccessSignature", "AWS4-HMAC-SHA256"],
  ...["Azure-HMAC-SHA256", "HMAC-SHA256"],
];

Deno.test("redact() knows the schemes that follow authorization without a colon", () => {
  for (const scheme of SCHEMES) {
    assert.equal(redact(`authorization ${scheme} a b`), "[REDACTED]", scheme);
  }
});

Deno.test("redact() leaves a name without a value alone", () => {
  for (const text of ["client_secret=", "secret:", "x token", "token=&a=b", "sig: 5", "key"]) {
    assert.equal(redact(text), text);
  }
});

Deno.test("redactedText() looks at 4 KiB and hides the word that was cut", () => {
  const padding = "word ".repeat(818); // 4090 bytes
  const cut = redactedText(padding + "hunter2 secret");
  assert.equal(cut, padding + "[REDACTED]");
  assert.equal(redactedText(padding + "hunter"), padding + "hunter");
  const many = redactedText("é".repeat(5000));
  assert.equal(many, "é".repeat(2048 - 512) + "[REDACTED]");
});

Deno.test("redactedText() shows nothing of a secret that reaches over the cut", () => {
  const padding = "word ".repeat(815);
  const text = padding + "http://user:correct-horse-battery@host/";
  assert.ok(!redactedText(text).includes("correct"), "URL credentials");
  const lines = "word\n".repeat(815) + "http://user:correct-horse-battery@host/";
  assert.ok(!redactedText(lines).includes("correct"), "URL credentials on a line of their own");
});
