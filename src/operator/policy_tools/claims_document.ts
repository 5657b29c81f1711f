import { err, ok, type Result } from "../../runtime/result.ts";
import type { CallerClaims } from "../../domain/policy/mod.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../domain/wire/mod.ts";

/**
 * The claims of a caller as a JSON object. A member that is absent or `null` is unknown and equals no selector; members that
 * rules cannot look at are ignored. Source: authorization 5.2.
 *
 * @param path JSON path of the value, for errors
 */
export function claimsOfJson(value: JsonValue, path: string): Result<CallerClaims, string> {
  if (value === null || typeof value !== "object" || !isJsonObject(value)) {
    return err(`${path} must be an object`);
  }
  for (const name of TEXTS) {
    const member = value.get(name) ?? null;
    if (member !== null && typeof member !== "string") {
      return err(`${path}.${name} must be a string`);
    }
  }
  const groups = value.get("userGroups") ?? null;
  const areTexts = groups === null ||
    Array.isArray(groups) && groups.every((group) => typeof group === "string");
  if (!areTexts) return err(`${path}.userGroups must be an array of strings`);
  const elevated = value.get("runAsElevated") ?? false;
  if (typeof elevated !== "boolean") return err(`${path}.runAsElevated must be true or false`);
  return ok({
    userName: textOf(value, "userName"),
    userGroups: (groups ?? NONE) as readonly string[],
    processName: textOf(value, "processName"),
    processFullPath: textOf(value, "processFullPath"),
    elevated,
  });
}

const TEXTS = Object.freeze(["userName", "processName", "processFullPath"] as const);
const NONE: readonly string[] = Object.freeze<string[]>([]);

function textOf(claims: JsonObject, name: string): string | null {
  return (claims.get(name) ?? null) as string | null;
}
