import { createHash, type Hash } from "node:crypto";
import { Buffer } from "node:buffer";
import { err, ok, type Result } from "../../runtime/result.ts";
import type { KeyDocument } from "../wire/latched_key.ts";

/** Block of SHA-256, in bytes: what HMAC pads a key to. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/**
 * The only holder of key material. It never leaves: printing, inspecting or serialising it shows `[secret]`.
 * Not even the bytes are kept, only the two hash states that HMAC starts from (RFC 2104); copying a state costs half of
 * setting it up for each message. Why this way: docs/adr/0003-signing-hash.md.
 */
export class SecretKey {
  readonly #inner: Hash;
  readonly #outer: Hash;
  /** Scratch space. */
  readonly #digest = new Uint8Array(DIGEST_BYTES);

  private constructor(bytes: Uint8Array) {
    this.#inner = paddedState(bytes, 0x36);
    this.#outer = paddedState(bytes, 0x5c);
  }

  /** Decodes hex digits of either case. The error never contains the text. Source: wire-protocol 5.5. */
  static fromHex(hex: string): Result<SecretKey, "KEY_EMPTY" | "KEY_NOT_HEX"> {
    if (hex.length === 0) return err("KEY_EMPTY");
    if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(hex)) return err("KEY_NOT_HEX");
    return ok(new SecretKey(Buffer.from(hex, "hex")));
  }

  /**
   * HMAC-SHA-256 over `message`, lower-case hex, 64 characters. Of a text the bytes of its UTF-8 are meant.
   * The inner digest takes the way over hex because the platform's digest as bytes costs a new buffer and twice the time.
   */
  mac(message: Uint8Array | string): string {
    this.#digest.setFromHex(this.#inner.copy().update(message).digest("hex"));
    return this.#outer.copy().update(this.#digest).digest("hex");
  }

  /** Whether both hold the same key. */
  equals(other: SecretKey): boolean {
    return this.mac(new Uint8Array()) === other.mac(new Uint8Array());
  }

  toJSON(): string {
    return "[secret]";
  }
  toString(): string {
    return "[secret]";
  }
  [Symbol.for("Deno.customInspect")](): string {
    return "[secret]";
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}

/** A key that the host latched, or will once it is attested. */
export interface LatchedKey {
  readonly guid: string;
  readonly secret: SecretKey;
  /** As the host delivered it; reported in the status only. */
  readonly incarnationId: number | null;
}

/** The key of a document, ready to sign; fails when its text is not hex digits. Source: wire-protocol 4.2 and 5.5. */
export function latchedKey(
  document: KeyDocument,
): Result<LatchedKey, "KEY_EMPTY" | "KEY_NOT_HEX"> {
  const secret = SecretKey.fromHex(document.keyHex());
  if (!secret.ok) return secret;
  return ok({
    guid: document.guid,
    secret: secret.value,
    incarnationId: document.incarnationId,
  });
}

/** The state of SHA-256 after the key, padded to a block and masked. Keys longer than a block are hashed first. */
function paddedState(key: Uint8Array, mask: number): Hash {
  const bytes = key.byteLength > BLOCK_BYTES ? createHash("sha256").update(key).digest() : key;
  const block = new Uint8Array(BLOCK_BYTES).fill(mask);
  bytes.forEach((byte, index) => block[index] = byte ^ mask);
  return createHash("sha256").update(block);
}
