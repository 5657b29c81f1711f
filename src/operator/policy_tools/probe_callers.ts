import type { CallerClaims } from "../../domain/policy/mod.ts";
import type { Identity } from "../../domain/wire/mod.ts";

/** A caller to ask about, with a name for people. */
export interface ProbeCaller {
  readonly label: string;
  readonly claims: CallerClaims;
}

/** Somebody of whom nothing is known, but elevated, so that rules alone decide. */
export const STRANGER: ProbeCaller = Object.freeze({
  label: "a caller of whom nothing is known",
  claims: Object.freeze({
    userName: null,
    userGroups: Object.freeze<string[]>([]),
    processName: null,
    processFullPath: null,
    elevated: true,
  }),
});

/** The same without rights. */
export const STRANGER_WITHOUT_RIGHTS: ProbeCaller = Object.freeze({
  label: "a caller of whom nothing is known, not elevated",
  claims: Object.freeze({ ...STRANGER.claims, elevated: false }),
});

/** Somebody whom exactly this identity describes. */
export function callerOfIdentity(identity: Identity): ProbeCaller {
  const { name, userName, groupName, processName, exePath } = identity;
  const claims: CallerClaims = {
    userName,
    userGroups: groupName === null ? [] : [groupName],
    processName: processName ?? (exePath === null ? null : nameOf(exePath)),
    processFullPath: exePath,
    elevated: true,
  };
  return { label: `identity ${JSON.stringify(name)}`, claims };
}

/** Callers who differ from the one in a single claim. */
export function nearMisses({ label, claims }: ProbeCaller): readonly ProbeCaller[] {
  const { userName, userGroups, processName, processFullPath } = claims;
  const near: ProbeCaller[] = [];
  const add = (how: string, changed: Partial<CallerClaims>) =>
    near.push({ label: `${label} with ${how}`, claims: { ...claims, ...changed } });
  if (userName !== null) {
    add("another user", { userName: other(userName) });
    add("no user", { userName: null });
  }
  if (processFullPath !== null) {
    const path = other(processFullPath);
    add("another executable", { processFullPath: path, processName: nameOf(path) });
    add("an executable that is not proven", { processFullPath: null, processName: null });
  } else if (processName !== null) {
    add("another process name", { processName: other(processName) });
  }
  if (userGroups.length > 0) add("no group", { userGroups: [] });
  return near;
}

/** A text that differs at its end, so that it stays what it is: a name, or a path. */
function other(text: string): string {
  return `${text}-probe`;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** What rules can tell callers apart by. */
export function claimsKey(claims: CallerClaims): string {
  const { userName, userGroups, processName, processFullPath, elevated } = claims;
  return JSON.stringify([userName, userGroups, processName, processFullPath, elevated]);
}
