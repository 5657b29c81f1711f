import { err, type Result } from "../../runtime/result.ts";
import { type DocumentFault, type ObjectReader, readDocument } from "./document_reader.ts";

declare const keyGuid: unique symbol;
/** The id of a key, checked: it becomes part of a file name and of a request target. */
export type KeyGuid = string & { readonly [keyGuid]: true };

const GUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

/** Whether `text` has the syntax of a GUID, in either case. DEVIATION D-13: other ids are refused. Source: wire-protocol S-19. */
export function isKeyGuid(text: string): text is KeyGuid {
  return text.length === 36 && GUID.test(text);
}

/** The name of the file that holds a key on Linux. Source: wire-protocol 4.3. */
export function keyFileName(guid: KeyGuid): string {
  return `${guid}.key`;
}

/** What the host delivered, or a file held: a key with its circumstances. The key text shows in no print and no copy. */
export class KeyDocument {
  readonly #keyHex: string;

  constructor(
    readonly authorizationScheme: string,
    readonly incarnationId: number | null,
    readonly guid: KeyGuid,
    /** Opaque, never parsed. */
    readonly issued: string,
    keyHex: string,
  ) {
    this.#keyHex = keyHex;
  }

  /** The key as text, for the two who need it: the key store and `SecretKey.fromHex`. */
  keyHex(): string {
    return this.#keyHex;
  }

  /** Whether both are the same key under the same id, text for text. Source: wire-protocol 4.2 step 3. */
  sameKey(other: KeyDocument): boolean {
    return this.guid === other.guid && this.#keyHex === other.#keyHex;
  }

  /** The content of the key file, byte for byte; it holds the key. Source: wire-protocol 4.3. */
  fileText(): string {
    return JSON.stringify(
      {
        authorizationScheme: this.authorizationScheme,
        ...(this.incarnationId === null ? {} : { incarnationId: this.incarnationId }),
        guid: this.guid,
        issued: this.issued,
        key: this.#keyHex,
      },
      null,
      2,
    );
  }

  toJSON(): string {
    return "[secret]";
  }
  toString(): string {
    return "[secret]";
  }
}

/** Parses the answer to a key request. Faults never repeat the key. Source: wire-protocol 4.2. */
export function parseKeyGrant(text: string): Result<KeyDocument, DocumentFault> {
  return readDocument(text, keyDocumentOf);
}

/**
 * Parses a key file. The id inside must be the one that was asked for, or somebody exchanged the files.
 * Source: wire-protocol 4.3 and S-18.
 */
export function parseKeyFile(text: string, requested: KeyGuid): Result<KeyDocument, DocumentFault> {
  const parsed = readDocument(text, keyDocumentOf);
  if (parsed.ok && parsed.value.guid !== requested) {
    return err({
      code: "MEMBER_VALUE",
      path: "$.guid",
      message: "$.guid must be the id in the name of the file",
    });
  }
  return parsed;
}

function keyDocumentOf(root: ObjectReader): KeyDocument {
  const authorizationScheme = root.string("authorizationScheme");
  const guid = root.string("guid");
  const issued = root.string("issued");
  const key = root.string("key");
  const incarnationId = root.optionalU32("incarnationId");
  if (!isKeyGuid(guid)) return root.refuseValue("guid", "a GUID");
  return new KeyDocument(authorizationScheme, incarnationId, guid, issued, key);
}
