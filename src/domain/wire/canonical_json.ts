import type { JsonObject, JsonValue } from "./strict_json.ts";

/**
 * One spelling for each JSON value: members in ascending order of their names (UTF-16 units), no white space. Two documents
 * have the same text exactly when they say the same. Used for digests, never sent.
 * Source: authorization 1.7.
 */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return numberText(value);
  if (isJsonObject(value)) {
    const members = [...value.keys()].sort().map((name) =>
      `${JSON.stringify(name)}:${canonicalJson(value.get(name)!)}`
    );
    return `{${members.join(",")}}`;
  }
  return `[${value.map(canonicalJson).join(",")}]`;
}

/** Elements of a list that make one piece. */
const ELEMENTS_IN_A_PIECE = 64;

/** The same text in pieces, for documents whose text is never needed as a whole. */
export function* canonicalJsonPieces(value: JsonValue): Generator<string, void> {
  if (value !== null && typeof value === "object" && isJsonObject(value)) {
    let before = "{";
    for (const name of [...value.keys()].sort()) {
      yield `${before}${JSON.stringify(name)}:`;
      yield* canonicalJsonPieces(value.get(name)!);
      before = ",";
    }
    yield before === "{" ? "{}" : "}";
    return;
  }
  if (!Array.isArray(value) || value.length <= ELEMENTS_IN_A_PIECE) {
    yield canonicalJson(value);
    return;
  }
  for (let at = 0; at < value.length; at += ELEMENTS_IN_A_PIECE) {
    const piece = value.slice(at, at + ELEMENTS_IN_A_PIECE).map(canonicalJson).join(",");
    yield (at === 0 ? "[" : ",") + piece;
  }
  yield "]";
}

/** Whether a parsed value is an object. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return value instanceof Map;
}

/** A number out of range parses to infinity; `1e999` reads back to the same. Minus zero keeps its sign. */
function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  return value > 0 ? "1e999" : "-1e999";
}
