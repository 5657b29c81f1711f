import { callerText } from "./caller_text.ts";
import type { Change, DiffReport, Side } from "./diff.ts";
import { printable } from "./printable.ts";

/** The comparison for people: what was widened first, as that is what somebody has to answer for. */
export function diffText(report: DiffReport, limit: number): string {
  const { widened, narrowed, generated, replayed, notReplayed, endpoints, changes } = report;
  const head = widened > 0
    ? `WIDENED: ${widened} requests pass that did not, or are no longer recorded as refused`
    : narrowed > 0
    ? "NARROWED only: nothing passes that did not before"
    : "no difference found";
  const lines = [
    head,
    `  ${widened} widened, ${narrowed} narrowed; ${generated} requests made up from both rules, ` +
    `${replayed} of the audit log`,
  ];
  for (const { endpoint, what, before, after } of endpoints) {
    lines.push(
      `  ${endpoint}: ${what} ${printable(before) || "none"} -> ${printable(after) || "none"}`,
    );
  }
  for (const direction of ["widened", "narrowed"] as const) {
    const some = changes.filter((change) => change.direction === direction);
    if (some.length > 0) lines.push("");
    for (const change of some.slice(0, limit)) lines.push(...changeLines(change));
    const rest = report[direction] - Math.min(limit, some.length);
    if (rest > 0) lines.push(`and ${rest} more ${direction}`);
  }
  if (notReplayed > 0) {
    lines.push(
      "",
      `${notReplayed} requests of the audit log are not known whole and were not asked about`,
    );
  }
  for (const endpoint of report.cutEndpoints) {
    lines.push("", `${endpoint} has more rules than requests were made up for: this is a sample`);
  }
  return `${lines.join("\n")}\n`;
}

function changeLines(change: Change): string[] {
  const { direction, endpoint, method, target, claims, caller, before, after, count } = change;
  const times = count > 1 ? `, ${count} times` : "";
  const seen = change.found === "audit" ? ` (in the audit log${times})` : "";
  const label = caller === null ? "" : `${printable(caller)}: `;
  return [
    `${direction.toUpperCase().padEnd(8)} ${endpoint} ${printable(method)} ${
      printable(target)
    }${seen}`,
    `         by ${label}${callerText(claims)}`,
    `         ${sideText(before)} -> ${sideText(after)}`,
  ];
}

function sideText({ verdict, reason, privilege, identity }: Side): string {
  const who = identity === null ? "" : `, identity ${printable(JSON.stringify(identity))}`;
  const what = privilege === null
    ? ""
    : `: privilege ${printable(JSON.stringify(privilege))}${who}`;
  return `${verdict} (${reason}${what})`;
}

/** The comparison as plain JSON. */
export function diffJson(report: DiffReport, limit: number): Record<string, unknown> {
  const { changes, ...rest } = report;
  const of = (direction: Change["direction"]) =>
    changes.filter((change) => change.direction === direction).slice(0, limit).map((change) => ({
      ...change,
      claims: {
        userName: change.claims.userName,
        userGroups: change.claims.userGroups,
        processName: change.claims.processName,
        processFullPath: change.claims.processFullPath,
        runAsElevated: change.claims.elevated,
      },
    }));
  return {
    verdict: report.widened > 0 ? "widened" : report.narrowed > 0 ? "narrowed" : "same",
    ...rest,
    changes: [...of("widened"), ...of("narrowed")],
  };
}
