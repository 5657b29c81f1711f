import type { Identity } from "../wire/key_status.ts";
import type { CallerClaims } from "./question.ts";

/** How paths of executables are read. A value, so that both ways run everywhere. */
export type PathFlavour = "unix" | "windows";

/** A selector of an identity. */
export type Selector = "userName" | "processName" | "exePath" | "groupName";

/** The selectors in the order in which they are looked at. Source: authorization 3.3. */
export const SELECTORS: readonly Selector[] = Object.freeze([
  "userName",
  "processName",
  "exePath",
  "groupName",
]);

/**
 * The first selector that the caller does not satisfy; `null` when the identity is the caller. Absent selectors are satisfied
 * by everybody, an unknown claim satisfies none (DEVIATION D-94). Source: authorization 3.3.
 */
export function failingSelector(
  identity: Identity,
  claims: CallerClaims,
  flavour: PathFlavour,
): Selector | null {
  for (const selector of SELECTORS) {
    const wanted = identity[selector];
    if (wanted !== null && !satisfies(selector, wanted, claims, flavour)) return selector;
  }
  return null;
}

/** Whether one selector's value is the caller's. Source: authorization 3.3. */
export function satisfies(
  selector: Selector,
  wanted: string,
  claims: CallerClaims,
  flavour: PathFlavour,
): boolean {
  switch (selector) {
    case "userName":
      return claims.userName === wanted;
    case "processName":
      return claims.processName === wanted;
    case "exePath":
      return claims.processFullPath !== null &&
        pathKey(claims.processFullPath, flavour) === pathKey(wanted, flavour);
    case "groupName":
      return claims.userGroups.includes(wanted);
  }
}

/**
 * A text that two paths share if and only if their components are equal, byte for byte: repeated separators, `.` other than a
 * leading one and separators at the end do not count. Nothing is resolved. Windows: both slashes separate, the drive letter
 * has no case, and paths that begin with `\\?\` are apart from all others. Source: authorization 3.3.
 */
export function pathKey(path: string, flavour: PathFlavour): string {
  if (flavour === "windows") return windowsKey(path);
  // Nearly every path is its own key.
  if (!UNIX_REDUNDANT.test(path)) return path;
  const root = path.startsWith("/") ? "/" : "";
  return root + components(path.slice(root.length), "/", root !== "").join("/");
}

const UNIX_REDUNDANT = /\/\.?(?:\/|$)/;
const WINDOWS_SEPARATOR = /[\\/]/;

function windowsKey(path: string): string {
  if (path.startsWith("\\\\?\\")) {
    // Taken literally: one separator, and `.` is a name.
    const parts = path.slice(4).split("\\").filter((part) => part !== "");
    const [first, ...rest] = parts;
    return ["verbatim", withUpperDrive(first ?? ""), ...rest].join("\\");
  }
  const { prefix, rest, rooted } = windowsPrefix(path);
  const names = components(rest, WINDOWS_SEPARATOR, rooted);
  return `${prefix}${rooted ? "|\\" : "|"}${names.join("\\")}`;
}

/** Splits off drive, share or device. `|` stands in no name and so keeps prefix and names apart. */
function windowsPrefix(path: string): { prefix: string; rest: string; rooted: boolean } {
  if (/^[\\/]{2}[^\\/]/.test(path)) {
    const [server, share, ...rest] = path.slice(2).split(WINDOWS_SEPARATOR);
    if (server === ".") {
      return { prefix: `device ${share ?? ""}`, rest: rest.join("\\"), rooted: true };
    }
    if (share !== undefined && share !== "") {
      return { prefix: `share ${server}\\${share}`, rest: rest.join("\\"), rooted: true };
    }
  }
  const drive = /^[A-Za-z]:/.test(path) ? path.slice(0, 2).toUpperCase() : "";
  const rest = path.slice(drive.length);
  return { prefix: drive, rest, rooted: WINDOWS_SEPARATOR.test(rest.charAt(0)) };
}

function withUpperDrive(part: string): string {
  return /^[A-Za-z]:$/.test(part) ? part.toUpperCase() : part;
}

/** Components without empty ones and without `.`; a leading `.` of a relative path is kept. */
function components(text: string, separator: string | RegExp, rooted: boolean): string[] {
  return text.split(separator).filter((part, index) =>
    part !== "" && (part !== "." || (index === 0 && !rooted))
  );
}
