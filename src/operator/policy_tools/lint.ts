import { canonicalPath, renderTarget, unicodeLower } from "../../domain/canonical/mod.ts";
import type {
  AuthorizationItem,
  Identity,
  Privilege,
  Role,
  RoleAssignment,
} from "../../domain/wire/mod.ts";
import type { ExeInspector } from "./exe_facts.ts";
import { type Finding, type LintCode, LintFindings, quoted } from "./lint_finding.ts";
import { lintShadows } from "./lint_shadows.ts";

/**
 * What is likely to be a mistake in rules that are well-formed. What compiling finds (references, repeated names, missing lists)
 * is not looked for again.
 *
 * @param at JSON path of the item
 * @param exes `null`: the rules are for another machine
 */
export function lintItem(
  item: AuthorizationItem,
  at: string,
  exes: ExeInspector | null,
): readonly Finding<LintCode>[] {
  const found = new LintFindings();
  const rules = `${at}.rules`;
  const privileges = item.rules?.privileges ?? [];
  const roles = item.rules?.roles ?? [];
  const identities = item.rules?.identities ?? [];
  const assignments = item.rules?.roleAssignments ?? [];
  lintAccess(item, at, found);
  for (const [index, privilege] of privileges.entries()) {
    lintPath(privilege, `${rules}.privileges[${index}]`, found);
  }
  for (const [index, identity] of identities.entries()) {
    lintIdentity(identity, `${rules}.identities[${index}]`, exes, found);
  }
  lintRepeatedIdentities(identities, rules, found);
  lintReach({ privileges, roles, identities, assignments }, rules, found);
  lintShadows(item, rules, found);
  if (found.omitted > 0) {
    found.add("note", "lint-cut-short", rules, `${found.omitted} more findings are not listed`);
  }
  return found.found;
}

function lintAccess(
  { mode, defaultAccess, rules }: AuthorizationItem,
  at: string,
  found: LintFindings,
) {
  if (mode === "disabled") {
    found.add("note", "nothing-enforced", `${at}.mode`, "the endpoint is not guarded in this mode");
  }
  const hasRules = (rules?.privileges?.length ?? 0) > 0;
  if (hasRules) return;
  if (defaultAccess === "allow") {
    const message = "there are no privileges: everything is allowed";
    found.add("note", "everything-allowed", `${at}.defaultAccess`, message);
  } else {
    const message = "there are no privileges: everything is denied";
    found.add("warning", "everything-denied", `${at}.defaultAccess`, message);
  }
}

function lintPath({ path, queryParameters }: Privilege, at: string, found: LintFindings): void {
  const add = (code: LintCode, message: string, severity: Finding["severity"] = "warning") =>
    found.add(severity, code, `${at}.path`, message);
  if (path.includes("?")) {
    add("path-has-query", "a path has no query; put the parameters into queryParameters", "error");
  } else if (path === "" || path === "/") {
    if ((queryParameters?.size ?? 0) === 0) {
      add("path-matches-everything", "every path begins with it; name the paths that are meant");
    }
  } else if (!path.startsWith("/")) {
    add(
      "path-without-slash",
      "no request path begins without a slash, so only the canonical " +
        "matcher finds it; begin it with a slash",
    );
  } else if (path.includes("%")) {
    add(
      "path-escaped",
      "rule paths are compared with decoded requests: the legacy matcher never " +
        "finds an escape; write the character itself",
    );
  } else {
    lintSpelling(path, add);
  }
  const lowered = new Set<string>();
  for (const key of queryParameters?.keys() ?? []) {
    const lower = unicodeLower(key);
    if (lowered.has(lower)) {
      const message = `${quoted(lower)} stands here twice in different case; one of the two counts`;
      found.add("warning", "parameter-repeated", `${at}.queryParameters`, message);
    }
    lowered.add(lower);
  }
}

function lintSpelling(
  path: string,
  add: (code: LintCode, message: string, severity?: Finding["severity"]) => void,
): void {
  const canonical = canonicalPath(path);
  if (!canonical.ok) return;
  const plain = renderTarget({ ...canonical.value, query: new Map() });
  if (plain !== unicodeLower(path)) {
    add(
      "path-not-plain",
      `the canonical matcher reads it as ${quoted(plain)}, the legacy matcher ` +
        "finds it only as it is written; write it plainly",
    );
  } else if (path.endsWith("/")) {
    add(
      "path-ends-with-slash",
      `the legacy matcher does not find ${quoted(path.slice(0, -1))} without the slash`,
      "note",
    );
  }
}

/** Programs that run what somebody hands them. */
const INTERPRETERS =
  /^(?:python|node|nodejs|deno|bun|bash|sh|dash|zsh|ksh|fish|busybox|perl|ruby|php|lua|tclsh|java|pwsh|powershell|cmd|dotnet|mono|cscript|wscript|env|sudo|awk|gawk|mawk|gdb|strace)(?:[-.]?[0-9][0-9.]*)?(?:\.exe)?$/i;

function lintIdentity(
  identity: Identity,
  at: string,
  exes: ExeInspector | null,
  found: LintFindings,
): void {
  const { userName, groupName, exePath, processName } = identity;
  const add = (
    code: LintCode,
    message: string,
    member = "",
    severity: Finding["severity"] = "warning",
  ) => found.add(severity, code, at + member, message);
  if (userName === null && groupName === null && exePath === null && processName === null) {
    add("identity-without-selector", "it has no selector: every caller is this identity");
    return;
  }
  for (const [member, value] of Object.entries({ userName, groupName, exePath, processName })) {
    if (value === "") {
      add("identity-cannot-be-met", "no caller has an empty one; leave it out", `.${member}`);
    }
  }
  if (exePath !== null && exePath !== "") {
    lintExe(exePath, processName, at, exes, found);
  }
  if (processName !== null && /[/\\]/.test(processName)) {
    add(
      "identity-cannot-be-met",
      "a process name is the last part of a path; it has no slash",
      ".processName",
    );
  }
  const program = exePath !== null ? baseName(exePath) : processName;
  if (program !== null && userName === null && groupName === null && INTERPRETERS.test(program)) {
    add(
      "identity-interpreter",
      `${quoted(program)} runs whatever any user hands it; name the user ` +
        "as well, or a program of its own",
    );
  }
  if (processName !== null && exePath === null) {
    add(
      "identity-name-only",
      "anybody can give a program this name; name its whole path in exePath",
      ".processName",
      userName === null && groupName === null ? "warning" : "note",
    );
  }
}

function lintExe(
  exePath: string,
  processName: string | null,
  at: string,
  exes: ExeInspector | null,
  found: LintFindings,
): void {
  const add = (code: LintCode, message: string, severity: Finding["severity"] = "warning") =>
    found.add(severity, code, `${at}.exePath`, message);
  const isWindows = /^(?:[A-Za-z]:)?\\|^[A-Za-z]:\//.test(exePath);
  if (!exePath.startsWith("/") && !isWindows) {
    add("identity-cannot-be-met", "paths of callers are absolute; name the whole path");
    return;
  }
  if (exePath.split(/[\\/]/).includes("..")) {
    add("identity-cannot-be-met", "paths of callers have no `..`; name the path that it leads to");
    return;
  }
  if (processName !== null && processName !== "" && processName !== baseName(exePath)) {
    add(
      "identity-cannot-be-met",
      `processName ${quoted(processName)} is never the name of this path`,
    );
  }
  if (exes === null || isWindows) return;
  const facts = exes.inspect(exePath);
  if (facts.kind === "missing") {
    add("exe-missing", "there is no such file on this machine", "note");
  } else if (facts.kind === "writable") {
    add("exe-writable", `whoever can change it is this identity: ${facts.place} ${facts.why}`);
  }
}

function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

function lintRepeatedIdentities(
  identities: readonly Identity[],
  rules: string,
  found: LintFindings,
): void {
  const first = new Map<string, string>();
  for (const [index, { name, userName, groupName, exePath, processName }] of identities.entries()) {
    const key = JSON.stringify([userName, groupName, exePath, processName]);
    const other = first.get(key);
    if (other === undefined) first.set(key, name);
    else if (other !== name) {
      const message = `it has the selectors of ${quoted(other)}: every caller is both or neither`;
      found.add("note", "identity-repeated", `${rules}.identities[${index}]`, message);
    }
  }
}

interface Lists {
  readonly privileges: readonly Privilege[];
  readonly roles: readonly Role[];
  readonly identities: readonly Identity[];
  readonly assignments: readonly RoleAssignment[];
}

/** What no assignment leads to. */
function lintReach(lists: Lists, rules: string, found: LintFindings): void {
  const { privileges, roles, identities, assignments } = lists;
  const known = new Set(identities.map(({ name }) => name));
  const held = new Set<string>();
  const named = new Set<string>();
  for (const [index, { role, identities: members }] of assignments.entries()) {
    const real = members.filter((name) => known.has(name));
    for (const name of real) named.add(name);
    if (real.length > 0) held.add(role);
    else {
      const message = "it names no identity that exists: nobody gets the role by it";
      found.add("warning", "assignment-empty", `${rules}.roleAssignments[${index}]`, message);
    }
  }
  const granted = new Set<string>();
  for (const [index, role] of roles.entries()) {
    if (role.privileges.length === 0) {
      const message = "it has no privileges: whoever has the role gets nothing by it";
      found.add("warning", "role-empty", `${rules}.roles[${index}]`, message);
    }
    if (held.has(role.name)) { for (const name of role.privileges) granted.add(name); }
    else {
      const message = "nobody has the role";
      found.add("warning", "role-unassigned", `${rules}.roles[${index}]`, message);
    }
  }
  for (const [index, { name }] of privileges.entries()) {
    if (granted.has(name)) continue;
    const message = "nobody has it: requests that match only it are denied, whatever the default";
    found.add("warning", "privilege-unassigned", `${rules}.privileges[${index}]`, message);
  }
  for (const [index, { name }] of identities.entries()) {
    if (named.has(name)) continue;
    const message = "no assignment names it: it grants nothing";
    found.add("warning", "identity-unassigned", `${rules}.identities[${index}]`, message);
  }
}
