import { Buffer } from "node:buffer";
import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  sign,
} from "node:crypto";
import { childrenOf, DER, der, integer, objectId, sequence } from "./der.ts";

const OID = Object.freeze({
  commonName: "2.5.4.3",
  rsaEncryption: "1.2.840.113549.1.1.1",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  sha256: "2.16.840.1.101.3.4.2.1",
  aes256Cbc: "2.16.840.1.101.3.4.1.42",
  data: "1.2.840.113549.1.7.1",
  envelopedData: "1.2.840.113549.1.7.3",
  keyBag: "1.2.840.113549.1.12.10.1.1",
  certificateBag: "1.2.840.113549.1.12.10.1.3",
  x509Certificate: "1.2.840.113549.1.9.22.1",
});
const RSA_BITS = 2048;
const SHA256_BLOCK_BYTES = 64;
const NAME = "simulated-vm";
const VALID_FROM = "200101000000Z";
const VALID_UNTIL = "491231235959Z";

/** What the host has for one guest: whoever it is for, and what only they can open. */
interface Recipient {
  readonly issuer: Uint8Array;
  readonly serial: Uint8Array;
  readonly publicKey: Uint8Array;
}

/**
 * The certificate that the simulated host keeps for the machine, with its private key, as guest agents fetch it: packed for
 * the certificate that they send along. It is made when it is first asked for and is good for nothing else.
 * Source: RFC 5280, RFC 5652, RFC 7292.
 */
export class MachineCertificate {
  readonly #randomBytes: (count: number) => Uint8Array;
  #made: { readonly certificate: Buffer; readonly pfx: Buffer } | null = null;

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  /** SHA-1 of the certificate in upper-case hex, as the platform names certificates. */
  get thumbprint(): string {
    return createHash("sha1").update(this.#make().certificate).digest("hex").toUpperCase();
  }

  /**
   * The package for whoever holds the private key of `transportCertificate`, in base64 of 64 characters a line.
   * `null` when that is no certificate of an RSA key.
   */
  packageFor(transportCertificate: string): string | null {
    const recipient = recipientOf(Buffer.from(transportCertificate, "base64"));
    if (recipient === null) return null;
    const contentKey = this.#randomBytes(32);
    const encryptedKey = encryptedFor(recipient.publicKey, contentKey);
    if (encryptedKey === null) return null;
    const message = this.#enveloped(recipient, contentKey, encryptedKey);
    return message.toString("base64").replace(/.{64}(?!$)/g, "$&\n");
  }

  #enveloped(recipient: Recipient, contentKey: Uint8Array, encryptedKey: Uint8Array): Buffer {
    const iv = this.#randomBytes(16);
    const cipher = createCipheriv("aes-256-cbc", contentKey, iv);
    const content = Buffer.concat([cipher.update(this.#make().pfx), cipher.final()]);
    const algorithm = sequence(objectId(OID.aes256Cbc), der(DER.OCTET_STRING, iv));
    const keyTransport = sequence(
      integer(0),
      sequence(recipient.issuer, recipient.serial),
      sequence(objectId(OID.rsaEncryption), der(DER.NULL)),
      der(DER.OCTET_STRING, encryptedKey),
    );
    return contentInfo(
      OID.envelopedData,
      sequence(
        integer(0),
        der(DER.SET, keyTransport),
        sequence(objectId(OID.data), algorithm, der(DER.IMPLICIT_0, content)),
      ),
    );
  }

  #make(): { readonly certificate: Buffer; readonly pfx: Buffer } {
    if (this.#made !== null) return this.#made;
    const { publicKey, privateKey } = generateKeyPairSync("rsa", {
      modulusLength: RSA_BITS,
      publicKeyEncoding: { type: "spki", format: "der" },
      privateKeyEncoding: { type: "pkcs8", format: "der" },
    });
    const serial = this.#randomBytes(16);
    serial[0] = 0x40 | (serial[0] ?? 0) & 0x3f;
    const algorithm = sequence(objectId(OID.sha256WithRsa), der(DER.NULL));
    const name = sequence(
      der(
        DER.SET,
        sequence(objectId(OID.commonName), der(DER.UTF8_STRING, Buffer.from(NAME))),
      ),
    );
    const time = (text: string) => der(DER.UTC_TIME, Buffer.from(text));
    const toBeSigned = sequence(
      der(DER.CONTEXT_0, integer(2)),
      integer(serial),
      algorithm,
      name,
      sequence(time(VALID_FROM), time(VALID_UNTIL)),
      name,
      publicKey,
    );
    const key = { key: privateKey, format: "der", type: "pkcs8" } as const;
    const signature = sign("sha256", toBeSigned, key);
    const certificate = sequence(
      toBeSigned,
      algorithm,
      der(DER.BIT_STRING, Buffer.from([0]), signature),
    );
    const pfx = pfxOf(certificate, privateKey, this.#randomBytes(8));
    return this.#made = { certificate, pfx };
  }
}

/** Certificate and key as a file of PKCS #12 without a password. Its content is open: the envelope around it is not. */
function pfxOf(certificate: Uint8Array, privateKey: Uint8Array, salt: Uint8Array): Buffer {
  const bag = (kind: string, value: Uint8Array) =>
    sequence(objectId(kind), der(DER.CONTEXT_0, value));
  const certificateBag = sequence(
    objectId(OID.x509Certificate),
    der(DER.CONTEXT_0, der(DER.OCTET_STRING, certificate)),
  );
  const safe = sequence(bag(OID.keyBag, privateKey), bag(OID.certificateBag, certificateBag));
  const authenticated = sequence(contentInfo(OID.data, der(DER.OCTET_STRING, safe)));
  const digest = createHmac("sha256", macKey(salt)).update(authenticated).digest();
  const digestInfo = sequence(
    sequence(objectId(OID.sha256), der(DER.NULL)),
    der(DER.OCTET_STRING, digest),
  );
  return sequence(
    integer(3),
    contentInfo(OID.data, der(DER.OCTET_STRING, authenticated)),
    sequence(digestInfo, der(DER.OCTET_STRING, salt), integer(1)),
  );
}

/** The key of the checksum for no password and one iteration: one block of the derivation. Source: RFC 7292 B.2. */
function macKey(salt: Uint8Array): Buffer {
  const diversifier = Buffer.alloc(SHA256_BLOCK_BYTES, 3);
  const salted = Buffer.alloc(SHA256_BLOCK_BYTES, salt);
  return createHash("sha256").update(diversifier).update(salted).digest();
}

function contentInfo(kind: string, content: Uint8Array): Buffer {
  return sequence(objectId(kind), der(DER.CONTEXT_0, content));
}

/** Issuer, serial number and key, which lie in this order in what a certificate signs. */
function recipientOf(certificate: Uint8Array): Recipient | null {
  const [toBeSigned] = childrenOf(certificate) ?? [];
  const fields = toBeSigned === undefined ? null : childrenOf(toBeSigned);
  const [, serial, , issuer, , , publicKey] = fields ?? [];
  if (serial === undefined || issuer === undefined || publicKey === undefined) return null;
  return { issuer, serial, publicKey };
}

function encryptedFor(publicKey: Uint8Array, contentKey: Uint8Array): Uint8Array | null {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, contentKey);
  } catch {
    return null;
  }
}
