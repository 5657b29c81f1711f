import { createHmac } from "node:crypto";
import { Buffer } from "node:buffer";
import { err, ok, type Result } from "../../runtime/result.ts";
import type { KeyDocument } from "../wire/latched_key.ts";

/** The only holder of key bytes. They never leave it: printing, inspecting or serialising it shows `[secret]`. */
export class SecretKey {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Decodes hex digits of either case. The error never contains the text. Source: wire-protocol 5.5. */
  static fromHex(hex: string): Result<SecretKey, "KEY_EMPTY" | "KEY_NOT_HEX"> {
    if (hex.length === 0) return err("KEY_EMPTY");
    if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(hex)) return err("KEY_NOT_HEX");
    return ok(new SecretKey(Uint8Array.from(Buffer.from(hex, "hex"))));
  }

  /** HMAC-SHA-256 over `message`, lower-case hex, 64 characters. */
  mac(message: Uint8Array): string {
    return createHmac("sha256", this.#bytes).update(message).digest("hex");
  }

  /** Whether both hold the same bytes. */
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
