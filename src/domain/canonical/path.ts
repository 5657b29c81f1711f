import { err, ok, type Result } from "../../runtime/result.ts";
import type { CanonCode } from "./codes.ts";
import { asciiLower } from "./letter_case.ts";
import { percentDecodeStrict } from "./percent.ts";

/** A path as the canonical matcher sees it. */
export interface CanonicalPath {
  /** Decoded, in lower case, without empty and dot segments and without parameters. The first one is `""`, the root. */
  readonly segments: readonly [""] | readonly ["", ...string[]];
  /** Whether the raw path ended with a slash behind something. */
  readonly trailingSlash: boolean;
}

/** Visible ASCII and the space, without `%` and `?`: nothing to decode and nothing to refuse. */
const PLAIN = /^[ -$&->@-~]*$/;
/** The same with `%`, which may stand in a decoded path. */
const HARMLESS = /^[ ->@-~]*$/;
/** Anything that is neither visible ASCII, a space nor beyond ASCII. */
const CONTROL = /[^ -~\x80-\uffff]/;
const BEYOND_ASCII = /[^\0-\x7f]/;

/**
 * The canonical form of a raw path, of a request or of a rule. The empty path counts as `/`. A backslash and a dot or space
 * at the end of a segment are ordinary characters here; `strictTarget()` refuses them.
 * Source: authorization 3.9 and 3.11.
 */
export function canonicalPath(path: string): Result<CanonicalPath, CanonCode> {
  let decoded = path;
  if (!PLAIN.test(path)) {
    const read = decodePath(path);
    if (!read.ok) return read;
    decoded = read.value;
  }
  const segments = splitSegments(asciiLower(decoded));
  if (segments === null) return err("CANON_UNDERFLOW");
  // The raw text counts: an encoded slash at the end separates nothing from nothing.
  const trailingSlash = segments.length > 1 && path.endsWith("/");
  return ok({ segments, trailingSlash });
}

/** Decodes once and judges the result. INVARIANT: the order of the checks decides which code a path with several faults gets. */
function decodePath(path: string): Result<string, CanonCode> {
  const decoded = percentDecodeStrict(path);
  if (!decoded.ok) return decoded;
  const text = decoded.value;
  if (HARMLESS.test(text)) return decoded;
  if (CONTROL.test(text)) return err("CANON_CTRL");
  return err(BEYOND_ASCII.test(text) ? "CANON_NON_ASCII" : "CANON_EMBQ");
}

/** `null` when the path climbs above the root. One pass, whatever the text. */
function splitSegments(text: string): ["", ...string[]] | null {
  const segments: ["", ...string[]] = [""];
  let semicolon = text.indexOf(";");
  for (let start = 0; start < text.length;) {
    const slash = text.indexOf("/", start);
    const end = slash < 0 ? text.length : slash;
    // Looked for again only when passed, so that a text full of slashes is not searched once for each.
    if (semicolon >= 0 && semicolon < start) semicolon = text.indexOf(";", start);
    const stop = semicolon >= 0 && semicolon < end ? semicolon : end;
    if (isDots(text, start, stop)) {
      if (stop - start === 2) {
        if (segments.length === 1) return null;
        segments.pop();
      }
    } else {
      segments.push(text.slice(start, stop));
    }
    start = end + 1;
  }
  return segments;
}

/** Whether the piece is empty, `.` or `..`. */
function isDots(text: string, start: number, stop: number): boolean {
  const length = stop - start;
  if (length > 2) return false;
  for (let at = start; at < stop; at++) {
    if (text.charCodeAt(at) !== 0x2e) return false;
  }
  return true;
}
