import type { AuditCounts } from "./audit_files.ts";
import { type Observations, type ObservedCaller, type Skipped } from "./observations.ts";
import { printable } from "./printable.ts";
import type { ReplayMiss, ReplayReport } from "./suggest_replay.ts";
import type { Suggestion } from "./suggest.ts";
import type { SuggestedGrant } from "./suggested_grant.ts";
import { callerText } from "./caller_text.ts";

/** All that a run found out. */
export interface SuggestReport {
  readonly read: AuditCounts;
  readonly observations: Observations;
  readonly suggestion: Suggestion;
  /** `null` when it was not asked for. */
  readonly replay: ReplayReport | null;
}

/** Whether the rules leave something out that was seen, or allow what was not. */
export function isIncomplete({ suggestion, observations, replay }: SuggestReport): boolean {
  return suggestion.grants.length === 0 || suggestion.ungranted.length > 0 ||
    observations.skipped.overflow > 0 ||
    replay !== null && (replay.refused.length > 0 || replay.wrong.length > 0);
}

/** The report for people, apart from the document itself. */
export function suggestText(report: SuggestReport): string {
  const { read, observations, suggestion, replay } = report;
  const { grants, ungranted } = suggestion;
  const lines = [
    `${grants.length} grants for ${observations.requests} requests in ${read.lines} lines`,
  ];
  for (const grant of grants) lines.push(...grantLines(grant));
  for (const { item, caller, target, count, why } of ungranted) {
    lines.push(
      `no rule  ${item} ${printable(target)}, ${times(count)}, by ${whoText(caller)}`,
      `         ${UNGRANTED[why]}`,
    );
  }
  for (const [reason, text] of Object.entries(SKIPPED) as [keyof Skipped, string][]) {
    const count = observations.skipped[reason];
    if (count > 0) lines.push(`left out ${count} requests: ${text}`);
  }
  if (read.broken > 0) {
    lines.push(`left out ${read.broken} lines that are none of the log, first ${read.firstBroken}`);
  }
  if (replay !== null) lines.push(...replayLines(replay));
  return `${lines.join("\n")}\n`;
}

function grantLines(grant: SuggestedGrant): string[] {
  const { item, privilege, identity, path, parameters, open, caller, uses } = grant;
  const query = [...parameters].map(([key, value]) => `${key}=${value}`).join("&");
  const lines = [
    `grant    ${item} ${printable(privilege)} to ${printable(identity)}: ` +
    printable(query === "" ? path : `${path}?${query}`),
    `         ${times(uses.count)}, last ${uses.lastUse || "at an unknown time"}, ` +
    `${[...uses.methods].sort().join(" ")}, by ${whoText(caller)}`,
  ];
  if (uses.flagged > 0) lines.push(`         ${uses.flagged} of them only flagged so far`);
  if (open.length > 0) {
    lines.push(
      `         any value: ${open.map((key) => printable(JSON.stringify(key))).join(" ")}`,
    );
  }
  if (caller.exePath === null) {
    lines.push("         the executable was not proven: any program of this user may do it");
  }
  return lines;
}

function replayLines(replay: ReplayReport): string[] {
  const { replayed, allowed, ungranted, refused, neighbours, neighboursRefused, wrong } = replay;
  const lines = [
    `replay   ${allowed} of ${replayed} requests of the log are allowed in every matching` +
    (ungranted > 0 ? `, ${ungranted} have no rule` : ""),
    `         ${neighboursRefused} of ${neighbours} requests round them are refused in enforce`,
  ];
  if (replay.openInShadow > 0) {
    lines.push(
      `         ${replay.openInShadow} of these pass in compat and shadow, where paths are compared by ` +
        "their beginnings",
    );
  }
  if (replay.inherent > 0) {
    lines.push(
      `         ${replay.inherent} paths below those of the log are allowed: a rule's path stands for all below it`,
    );
  }
  for (const miss of refused) lines.push(`refused  ${missText(miss)}`);
  for (const miss of wrong) lines.push(`allowed  ${missText(miss)}, which was not seen`);
  return lines;
}

function missText({ item, method, target, claims }: ReplayMiss): string {
  return `${item} ${printable(method)} ${printable(target)} by ${callerText(claims)}`;
}

function whoText({ userName, exePath }: ObservedCaller): string {
  const user = userName === null ? "an unknown user" : printable(userName);
  return exePath === null ? user : `${user} with ${printable(exePath)}`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

const UNGRANTED = Object.freeze({
  "path-too-broad": "a rule for this path would be one for every path",
  "not-plain": "the target is spelt so that no rule holds for it in enforce",
});

const SKIPPED: Readonly<Record<keyof Skipped, string>> = Object.freeze({
  denied: "they were refused; --denied takes those in that rules can allow",
  exempt: "uploads of diagnostics need no rule",
  notElevated: "the endpoint wants root, whatever the rules say",
  unknownCaller: "neither user nor executable is known",
  damaged: "they were not written whole",
  notCanonical: "their targets have no canonical form",
  unknownQuery: "they were counted in summaries, and their queries are not known",
  overflow: "there are more kinds of requests than are kept; the rules do not cover them",
});

/** The report as plain JSON. */
export function suggestJson(report: SuggestReport): Record<string, unknown> {
  const { read, observations, suggestion, replay } = report;
  return {
    verdict: isIncomplete(report) ? "incomplete" : "ok",
    document: suggestion.document,
    grants: suggestion.grants.map((grant) => ({
      item: grant.item,
      privilege: grant.privilege,
      identity: grant.identity,
      userName: grant.caller.userName,
      exePath: grant.caller.exePath,
      path: grant.path,
      queryParameters: Object.fromEntries(grant.parameters),
      anyValue: grant.open,
      methods: [...grant.uses.methods].sort(),
      count: grant.uses.count,
      flagged: grant.uses.flagged,
      firstUse: grant.uses.firstUse,
      lastUse: grant.uses.lastUse,
    })),
    ungranted: suggestion.ungranted,
    requests: observations.requests,
    skipped: observations.skipped,
    read,
    replay: replay === null
      ? null
      : { ...replay, refused: replay.refused.map(missJson), wrong: replay.wrong.map(missJson) },
  };
}

function missJson({ item, method, target, claims }: ReplayMiss): Record<string, unknown> {
  const { userName, userGroups, processName, processFullPath, elevated } = claims;
  const caller = { userName, userGroups, processName, processFullPath, runAsElevated: elevated };
  return { item, method, target, caller };
}
