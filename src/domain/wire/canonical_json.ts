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

/** Whether a parsed value is an object. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return value instanceof Map;
}

/** A number out of range parses to infinity; `1e999` reads back to the same. Minus zero keeps its sign. */
function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  return value > 0 ? "1e999" : "-1e999";
}
