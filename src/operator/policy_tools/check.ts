import {
  compileItem,
  ruleDescriptor,
  selfTest,
  type SelfTestReport,
} from "../../domain/policy/mod.ts";
import type { ExeInspector } from "./exe_facts.ts";
import { lintItem } from "./lint.ts";
import type { Finding } from "./lint_finding.ts";
import { type DocumentItem, type DocumentKind, kindOf, readRuleDocument } from "./rule_document.ts";
import { type EndpointName, parseStrictJson } from "../../domain/wire/mod.ts";

/** What was tested of the rules of one endpoint. */
export interface CheckedItem {
  readonly endpoint: EndpointName | null;
  readonly id: string;
  readonly privileges: number;
  /** Requests that the self-test tried; `null` where errors kept it from running. */
  readonly evaluations: number | null;
}

/** What is to be said about a document with rules. */
export interface CheckReport {
  /** `null`: it could not be told what the document is. */
  readonly kind: DocumentKind | null;
  readonly items: readonly CheckedItem[];
  /** Errors first, then warnings, then notes, each in the order of the document. */
  readonly findings: readonly Finding[];
}

/** Checks a document with rules: its form, its references, what is likely to be a mistake, and the self-test of the agent. */
export function checkDocument(
  text: string,
  as: DocumentKind | null,
  exes: ExeInspector | null,
): CheckReport {
  const read = readRuleDocument(text, as);
  if (!read.ok) {
    const { code, path, message } = read.error;
    const parsed = parseStrictJson(text.startsWith("\ufeff") ? text.slice(1) : text);
    const kind = as ?? (parsed.ok ? kindOf(parsed.value) : null);
    return { kind, items: [], findings: [{ severity: "error", code, path, message }] };
  }
  const findings: Finding[] = read.value.unused.map((path) => ({
    severity: "warning",
    code: "member-unused",
    path,
    message: "nothing reads it: HostGAPlugin has the rules of wireserver",
  }));
  const items = read.value.items.map((item) => checkItem(item, exes, findings));
  return { kind: read.value.kind, items, findings: inOrder(findings) };
}

function checkItem(
  { endpoint, at, item }: DocumentItem,
  exes: ExeInspector | null,
  findings: Finding[],
): CheckedItem {
  const { compiled, findings: compiling } = compileItem(item, { at });
  const linted = lintItem(item, at, exes);
  const explained = new Set(
    linted.filter(({ code }) => code === "path-has-query").map(({ path }) => path),
  );
  // The linter says the same in words that tell what to do.
  findings.push(...compiling.filter(({ path }) => !explained.has(`${path}.path`)), ...linted);
  if (ruleDescriptor(item).useLocalFileRules) {
    findings.push({
      severity: "note",
      code: "local-rules-wanted",
      path: `${at}.id`,
      message: "the id asks for local rules, which are not looked at here",
    });
  }
  const privileges = item.rules?.privileges?.length ?? 0;
  const isBroken = compiling.some(({ severity }) => severity === "error");
  if (isBroken) return { endpoint, id: item.id, privileges, evaluations: null };
  const steps = selfTest(compiled);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  findings.push(...selfTestFindings(step.value, at));
  return { endpoint, id: item.id, privileges, evaluations: step.value.evaluations };
}

/** What a self-test found, as findings about the item at `at`. */
export function selfTestFindings(
  { failures, failureCount }: SelfTestReport,
  at: string,
): Finding[] {
  const found = failures.map((failure): Finding => ({
    severity: "error",
    code: "self-test",
    path: `${at}.rules.privileges`,
    message: `privilege ${JSON.stringify(failure.privilege)}, mutation ${failure.mutation}: ` +
      `${failure.method} ${failure.target} of a ${failure.caller} gets ${failure.actual}, ` +
      `not ${failure.expected}`,
  }));
  const rest = failureCount - failures.length;
  if (rest > 0) {
    const message = `${rest} more requests did not get the verdict that they should`;
    found.push({ severity: "error", code: "self-test", path: `${at}.rules.privileges`, message });
  }
  return found;
}

const SEVERITIES = Object.freeze(["error", "warning", "note"] as const);

function inOrder(findings: readonly Finding[]): readonly Finding[] {
  return SEVERITIES.flatMap((severity) => findings.filter((each) => each.severity === severity));
}
