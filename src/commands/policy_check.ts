import { ruleSchema } from "../domain/wire/mod.ts";
import {
  checkDocument,
  type CheckReport,
  FileExeInspector,
  kindText,
} from "../operator/policy_tools/mod.ts";
import type { CommandOutput } from "./output.ts";
import { failed, misused } from "./options.ts";
import { kindOption, parseTool, type PolicyContext, readText } from "./policy_input.ts";

const USAGE = `Usage: azure-proxy-agent policy check [options] FILE
       azure-proxy-agent policy check schema [item|local]

Checks rules: their form, with the place of each mistake; references between them; what is likely to be a mistake; and the
self-test that the agent runs before it installs a policy. FILE is a status document of the host, its member
authorizationRules, the rules of one endpoint, a local rule file, or a dump of installed rules; - is the standard input.

  --as KIND          what FILE is, where its members do not tell: status, rules, item, local or dump
  --other-machine    the rules are for another machine: do not look at the executables of this one
  --json             one JSON object in place of text
  -h, --help

\`schema\` prints the JSON Schema of the rules of one endpoint, or of a local rule file, for editors.

Exit codes: 0 nothing but notes, 1 errors or warnings, 2 wrong usage or a file that cannot be read.
`;

/** Runs `policy check`. Returns the exit code. */
export async function policyCheckCommand(
  args: readonly string[],
  output: CommandOutput,
  context: PolicyContext,
): Promise<0 | 1 | 2> {
  const parsed = parseTool(args, { as: { type: "string" }, "other-machine": { type: "boolean" } });
  if (!parsed.ok) return misused(parsed.error, USAGE, output);
  const tool = parsed.value;
  if (tool.flag("help")) {
    output.out(USAGE);
    return 0;
  }
  const [file, ...more] = tool.positionals;
  if (file === "schema") return policySchemaCommand(more, output);
  if (file === undefined || more.length > 0) {
    return misused("`policy check` wants one file", USAGE, output);
  }
  const kind = kindOption(tool);
  if (!kind.ok) return misused(kind.error, USAGE, output);
  const json = tool.flag("json");
  const text = await readText(file, context.stdin);
  if (!text.ok) return failed(text.error, json, output);
  const exes = tool.flag("other-machine") ? null : new FileExeInspector();
  const report = checkDocument(text.value, kind.value, exes);
  const isFound = report.findings.some(({ severity }) => severity !== "note");
  output.out(json ? asJson(report, isFound) : asText(report, file));
  return isFound ? 1 : 0;
}

/** Prints the JSON Schema of a kind of rules. Returns the exit code. */
export function policySchemaCommand(args: readonly string[], output: CommandOutput): 0 | 2 {
  const names = args.filter((arg) => arg !== "--json");
  const [name = "item"] = names;
  if (names.length > 1 || name !== "item" && name !== "local") {
    return misused(`no schema \`${names.join(" ")}\`; name item or local`, USAGE, output);
  }
  output.out(`${JSON.stringify(ruleSchema(name), null, 2)}\n`);
  return 0;
}

function asJson({ kind, items, findings }: CheckReport, isFound: boolean): string {
  return `${JSON.stringify({ verdict: isFound ? "findings" : "ok", kind, items, findings })}\n`;
}

function asText({ kind, items, findings }: CheckReport, file: string): string {
  const counts = (["error", "warning", "note"] as const).map((severity) => {
    const count = findings.filter((each) => each.severity === severity).length;
    return `${count} ${severity}${count === 1 ? "" : "s"}`;
  });
  const lines = [
    `${file}: ${counts.join(", ")}`,
    kind === null ? "  not recognised" : `  read as ${kindText(kind)}`,
  ];
  for (const { endpoint, id, privileges, evaluations } of items) {
    const tested = evaluations === null
      ? "not self-tested"
      : `self-test of ${evaluations} requests`;
    lines.push(
      `  ${endpoint ?? "item"} ${JSON.stringify(id)}: ${privileges} privileges, ${tested}`,
    );
  }
  for (const { severity, code, path, message } of findings) {
    lines.push(`${severity.padEnd(7)}  ${path}  ${code}`, `         ${message}`);
  }
  return `${lines.join("\n")}\n`;
}
