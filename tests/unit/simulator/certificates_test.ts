import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  constants,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  sign,
  verify,
} from "node:crypto";
import { MachineCertificate } from "../../../src/simulator/certificates.ts";
import { childrenOf, DER, der, integer, sequence } from "../../../src/simulator/der.ts";

/** What a guest agent keeps for this: a key, and a certificate of which only three fields matter here. */
function transport() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const issuer = sequence(der(DER.UTF8_STRING, Buffer.from("issuer")));
  const serial = integer(77);
  const spki = publicKey.export({ type: "spki", format: "der" });
  const none = sequence();
  const toBeSigned = sequence(
    der(DER.CONTEXT_0, integer(2)),
    serial,
    none,
    issuer,
    none,
    none,
    spki,
  );
  return { privateKey, issuer, serial, certificate: sequence(toBeSigned, none).toString("base64") };
}

/** Follows the numbered children down. */
function at(value: Uint8Array, ...path: readonly number[]): Uint8Array {
  return path.reduce((inside, index) => childrenOf(inside)?.[index] ?? assert.fail(), value);
}

/** Content of a value that is not constructed; all here have a length of up to three bytes. */
function contentOf(value: Uint8Array): Uint8Array {
  const first = value[1] ?? 0;
  return value.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f));
}

const random = (count: number) => crypto.getRandomValues(new Uint8Array(count));

Deno.test("packageFor() packs certificate and key so that the holder of the transport key opens them", () => {
  const { certificate, issuer, privateKey, serial } = transport();
  const machine = new MachineCertificate(random);
  const text = machine.packageFor(certificate) ?? "";
  assert.ok(text.split("\n").every((line) => line.length <= 64));
  const enveloped = at(Buffer.from(text, "base64"), 1, 0);
  const recipient = at(enveloped, 1, 0);
  assert.deepEqual(Buffer.from(at(recipient, 1)), sequence(issuer, serial));
  const contentKey = privateDecrypt(
    { key: privateKey, padding: constants.RSA_PKCS1_PADDING },
    contentOf(at(recipient, 3)),
  );
  const encrypted = at(enveloped, 2);
  const decipher = createDecipheriv("aes-256-cbc", contentKey, contentOf(at(encrypted, 1, 1)));
  const pfx = Buffer.concat([decipher.update(contentOf(at(encrypted, 2))), decipher.final()]);

  const authenticated = contentOf(at(pfx, 1, 1, 0));
  const safe = contentOf(at(authenticated, 0, 1, 0));
  const made = contentOf(at(safe, 1, 1, 0, 1, 0));
  const sha1 = createHash("sha1").update(made).digest("hex").toUpperCase();
  assert.equal(machine.thumbprint, sha1);
  const machineKey = createPrivateKey({
    key: Buffer.from(at(safe, 0, 1, 0)),
    format: "der",
    type: "pkcs8",
  });
  const publicKey = createPublicKey({
    key: Buffer.from(at(made, 0, 6)),
    format: "der",
    type: "spki",
  });
  const signature = contentOf(at(made, 2)).subarray(1);
  assert.ok(verify("sha256", at(made, 0), publicKey, signature), "it is signed by itself");
  const proof = sign("sha256", Buffer.from("x"), machineKey);
  assert.ok(verify("sha256", Buffer.from("x"), publicKey, proof), "the key is the certificate's");
});

Deno.test("packageFor() makes the certificate once, and a package of its own each time", () => {
  const { certificate } = transport();
  const machine = new MachineCertificate(random);
  const { thumbprint } = machine;
  assert.match(thumbprint, /^[0-9A-F]{40}$/);
  assert.notEqual(machine.packageFor(certificate), machine.packageFor(certificate));
  assert.equal(machine.thumbprint, thumbprint);
});

Deno.test("packageFor() gives nothing for what is no certificate of an RSA key", () => {
  const machine = new MachineCertificate(random);
  const { publicKey } = generateKeyPairSync("ed25519");
  const spki = publicKey.export({ type: "spki", format: "der" });
  const none = sequence();
  const other = sequence(sequence(none, none, none, none, none, none, spki), none);
  for (const text of ["", "no certificate", "MAA=", other.toString("base64")]) {
    assert.equal(machine.packageFor(text), null, text);
  }
});
