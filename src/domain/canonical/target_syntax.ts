import { err, ok, type Result } from "../../runtime/result.ts";
import type { TargetParts } from "../wire/client_request.ts";

/** Longest request target, in bytes. Source: wire-protocol 1.3. */
export const MAX_TARGET_BYTES = 65_534;

/** Why a target is refused with 400, or 414 for its length. */
export type TargetCode = "TARGET_EMPTY" | "TARGET_BYTE" | "TARGET_TOO_LONG";

const PATH_BYTES = /^[!"$-;=@-_a-z{|}~]*$/;
const QUERY_BYTES = /^[!$-;=?-~]*$/;

/**
 * Whether the target consists of accepted bytes: visible ASCII without `<`, `>` and `#`; also without the grave accent before
 * the query, and without the double quote in it. Nothing is decoded.
 * Source: wire-protocol 9.3.
 */
export function checkTarget(parts: TargetParts): Result<null, TargetCode> {
  const { target, query } = parts;
  if (target.length > MAX_TARGET_BYTES) return err("TARGET_TOO_LONG");
  if (target.length === 0) return err("TARGET_EMPTY");
  // The stem, not the path: scheme and authority of an absolute form have to obey as well.
  const stem = query === null ? target : target.slice(0, target.length - query.length - 1);
  if (!PATH_BYTES.test(stem) || (query !== null && !QUERY_BYTES.test(query))) {
    return err("TARGET_BYTE");
  }
  return ok(null);
}
