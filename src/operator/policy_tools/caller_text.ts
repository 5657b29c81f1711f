import { err, ok, type Result } from "../../runtime/result.ts";
import type { CallerClaims } from "../../domain/policy/mod.ts";
import { documentFault, parseStrictJson } from "../../domain/wire/mod.ts";
import { claimsOfJson } from "./claims_document.ts";
import { printable } from "./printable.ts";

/** How a caller is written on the command line. */
export const CALLER_SYNTAX = "user=NAME,groups=G1;G2,exe=PATH,process=NAME,elevated";

/**
 * Reads a caller from the command line: `user=..,groups=..;..,exe=..,process=..,elevated`, each part optional, or the JSON object
 * of the claims. What is not named is unknown. Without a process the name is the last part of the path.
 */
export function callerOfText(text: string): Result<CallerClaims, string> {
  if (text.trimStart().startsWith("{")) return callerOfJson(text);
  let userName: string | null = null;
  let userGroups: readonly string[] = [];
  let processName: string | null = null;
  let processFullPath: string | null = null;
  let elevated = false;
  const seen = new Set<string>();
  for (const part of text === "" ? [] : text.split(",")) {
    const at = part.indexOf("=");
    const name = (at < 0 ? part : part.slice(0, at)).trim();
    const value = at < 0 ? null : part.slice(at + 1);
    if (seen.has(name)) return err(`\`${name}\` stands twice in the caller`);
    seen.add(name);
    if (name === "elevated") {
      const flag = value ?? "true";
      if (flag !== "true" && flag !== "false") {
        return err(`\`elevated=${flag}\` must be true or false`);
      }
      elevated = flag === "true";
      continue;
    }
    if (!NAMES.has(name)) {
      return err(`\`${name}\` is no part of a caller; write ${CALLER_SYNTAX}, or a JSON object`);
    }
    if (value === null) return err(`\`${name}\` wants a value: ${name}=...`);
    if (name === "user") userName = value;
    else if (name === "exe") processFullPath = value;
    else if (name === "process") processName = value;
    else userGroups = value.split(";").filter((group) => group !== "");
  }
  processName ??= nameOf(processFullPath);
  return ok({ userName, userGroups, processName, processFullPath, elevated });
}

const NAMES: ReadonlySet<string> = new Set(["user", "groups", "exe", "process"]);

function callerOfJson(text: string): Result<CallerClaims, string> {
  const parsed = parseStrictJson(text);
  if (!parsed.ok) return err(`the caller is ${documentFault(parsed.error).message}`);
  const claims = claimsOfJson(parsed.value, "caller");
  if (!claims.ok) return claims;
  const { processName, processFullPath } = claims.value;
  return ok({ ...claims.value, processName: processName ?? nameOf(processFullPath) });
}

function nameOf(path: string | null): string | null {
  return path === null ? null : path.slice(path.lastIndexOf("/") + 1);
}

/** A caller as people read it. */
export function callerText(claims: CallerClaims): string {
  const { userName, userGroups, processName, processFullPath, elevated } = claims;
  return [
    userName === null ? "user unknown" : `user ${printable(JSON.stringify(userName))}`,
    userGroups.length === 0
      ? "no groups"
      : `groups ${userGroups.map((group) => printable(JSON.stringify(group))).join(" ")}`,
    processFullPath === null
      ? "executable not proven"
      : `exe ${printable(JSON.stringify(processFullPath))}`,
    processName === null ? null : `process ${printable(JSON.stringify(processName))}`,
    elevated ? "elevated" : "not elevated",
  ].filter((part) => part !== null).join(", ");
}
