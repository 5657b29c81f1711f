import { err, ok, type Result } from "../../runtime/result.ts";
import { isJsonObject } from "./canonical_json.ts";
import {
  type JsonCode,
  type JsonFault,
  type JsonObject,
  jsonPathStep,
  type JsonValue,
  parseStrictJson,
} from "./strict_json.ts";

/** Why a document of the host, or a file, was rejected. */
export type DocumentCode = JsonCode | "MEMBER_MISSING" | "MEMBER_TYPE" | "MEMBER_VALUE";

/** What is wrong with a document, and where. `message` names the place and never repeats a secret. */
export interface DocumentFault {
  readonly code: DocumentCode;
  readonly path: string;
  readonly message: string;
}

/** Ends reading; `readDocument` turns it into a value. */
class ReadStop {
  constructor(readonly fault: DocumentFault) {}
}

/**
 * Parses `text` strictly and lets `read` take the members it knows; unknown members are ignored.
 * Source: wire-protocol 2.2, authorization 1.2.
 */
export function readDocument<T>(
  text: string,
  read: (root: ObjectReader) => T,
): Result<T, DocumentFault> {
  const parsed = parseStrictJson(text);
  if (!parsed.ok) return err(documentFault(parsed.error));
  try {
    return ok(read(ObjectReader.of(parsed.value, "$")));
  } catch (error) {
    if (error instanceof ReadStop) return err(error.fault);
    throw error;
  }
}

/** A fault of the JSON as one of the document. */
export function documentFault({ code, path, offset }: JsonFault): DocumentFault {
  return { code, path, message: `${JSON_FAULT_TEXT[code]} at ${path}, offset ${offset}` };
}

const JSON_FAULT_TEXT: Readonly<Record<JsonCode, string>> = {
  JSON_SYNTAX: "not JSON",
  JSON_TRAILING_TEXT: "text after the document",
  JSON_DUPLICATE_MEMBER: "member occurs twice",
  JSON_TOO_DEEP: "nested too deep",
};

/** Takes typed members from one object of a document. `null` and absent are the same for optional members. */
export class ObjectReader {
  private constructor(readonly source: JsonObject, readonly path: string) {}

  /** A reader of `value`, which must be an object with well-formed member names. */
  static of(value: JsonValue, path: string): ObjectReader {
    if (typeof value !== "object" || value === null || !isJsonObject(value)) {
      throw fault("MEMBER_TYPE", path, "an object");
    }
    for (const name of value.keys()) {
      if (!name.isWellFormed()) throw fault("MEMBER_TYPE", path, "well-formed member names");
    }
    return new ObjectReader(value, path);
  }

  string(name: string): string {
    const value = this.optionalString(name);
    if (value === null) throw this.#missing(name);
    return value;
  }

  optionalString(name: string): string | null {
    const value = this.source.get(name) ?? null;
    return value === null ? null : stringOf(value, this.#at(name));
  }

  optionalBoolean(name: string): boolean | null {
    const value = this.source.get(name) ?? null;
    if (value === null) return null;
    if (typeof value !== "boolean") throw fault("MEMBER_TYPE", this.#at(name), "true or false");
    return value;
  }

  /** An unsigned 32-bit integer. */
  optionalU32(name: string): number | null {
    const value = this.source.get(name) ?? null;
    if (value === null) return null;
    if (
      typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xffff_ffff
    ) {
      throw fault("MEMBER_TYPE", this.#at(name), "an integer from 0 to 4294967295");
    }
    return value;
  }

  /** Ends reading because the value of `name` is none of the accepted ones. */
  refuseValue(name: string, expected: string): never {
    throw fault("MEMBER_VALUE", this.#at(name), expected);
  }

  /** Ends reading because `name` is required here. */
  refuseMissing(name: string): never {
    throw this.#missing(name);
  }

  #missing(name: string): ReadStop {
    const path = this.#at(name);
    return new ReadStop({ code: "MEMBER_MISSING", path, message: `${path} is required` });
  }

  #at(name: string): string {
    return this.path + jsonPathStep(name);
  }
}

/** A well-formed string. */
export function stringOf(value: JsonValue, path: string): string {
  if (typeof value !== "string") throw fault("MEMBER_TYPE", path, "a string");
  if (!value.isWellFormed()) throw fault("MEMBER_TYPE", path, "a well-formed string");
  return value;
}

function fault(code: DocumentCode, path: string, expected: string): ReadStop {
  return new ReadStop({ code, path, message: `${path} must be ${expected}` });
}
