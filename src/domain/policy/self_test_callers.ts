import type { Identity } from "../wire/key_status.ts";
import type { CallerClaims } from "./question.ts";

/** Somebody of whom nothing is known. */
export const STRANGER: CallerClaims = Object.freeze({
  userName: null,
  userGroups: Object.freeze<string[]>([]),
  processName: null,
  processFullPath: null,
  elevated: true,
});

/** Somebody whom exactly this identity describes. */
export function claimsFor({ userName, groupName, processName, exePath }: Identity): CallerClaims {
  const userGroups = groupName === null ? [] : [groupName];
  return { userName, userGroups, processName, processFullPath: exePath, elevated: true };
}

/** Somebody whose names differ from the caller's in case only, or in a letter at the end where there is no case. */
export function confusedWith(claims: CallerClaims): CallerClaims {
  return {
    userName: claims.userName === null ? null : confused(claims.userName),
    userGroups: claims.userGroups.map(confused),
    processName: claims.processName === null ? null : confused(claims.processName),
    processFullPath: claims.processFullPath === null ? null : confused(claims.processFullPath),
    elevated: claims.elevated,
  };
}

function confused(name: string): string {
  const upper = name.toUpperCase();
  return upper === name ? `${name.toLowerCase()}_` : upper;
}
