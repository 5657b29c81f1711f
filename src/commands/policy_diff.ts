import { DEFAULT_MATCHING } from "../domain/policy/mod.ts";
import {
  diffJson,
  diffText,
  PolicyDiff,
  readAuditFiles,
  toolPolicy,
} from "../operator/policy_tools/mod.ts";
import type { CommandOutput } from "./output.ts";
import { failed, misused } from "./options.ts";
import {
  kindOption,
  loadRules,
  matchingOption,
  parseTool,
  type PolicyContext,
} from "./policy_input.ts";

const USAGE = `Usage: azure-proxy-agent policy diff [options] OLD NEW

Says what becomes allowed and what becomes denied when the rules in NEW take the place of those in OLD. Both are asked about
requests that are made up from the rules of both (each path with what lies below, beside and above it, each parameter missing,
changed and repeated; for each identity, and for callers who differ from it in one thing), and about the requests of an audit
log. Widening is what the new rules forward and the old ones refused, and what is no longer recorded as refused.

OLD and NEW may be anything that policy check reads.

  --audit FILE       replay an audit log; may be given more than once
  --as KIND          what both files are: status, rules, item, local or dump
  --matching WORD    compat, shadow or enforce; shadow by default
  --limit N          changes of each direction that are listed; 50 by default
  --json             one JSON object in place of text
  -h, --help

Exit codes: 0 nothing is widened, 1 something is, 2 wrong usage or a file that cannot be used.
`;

const SHOWN_CHANGES = 50;

/** Runs `policy diff`. Returns the exit code. */
export async function policyDiffCommand(
  args: readonly string[],
  output: CommandOutput,
  context: PolicyContext,
): Promise<0 | 1 | 2> {
  const text = { type: "string" } as const;
  const parsed = parseTool(args, {
    audit: { type: "string", multiple: true },
    as: text,
    matching: text,
    limit: text,
  });
  if (!parsed.ok) return misused(parsed.error, USAGE, output);
  const tool = parsed.value;
  if (tool.flag("help")) {
    output.out(USAGE);
    return 0;
  }
  const [older, newer, ...more] = tool.positionals;
  if (older === undefined || newer === undefined || more.length > 0) {
    return misused("`policy diff` wants two files: OLD NEW", USAGE, output);
  }
  const kind = kindOption(tool);
  if (!kind.ok) return misused(kind.error, USAGE, output);
  const matching = matchingOption(tool);
  if (!matching.ok) return misused(matching.error, USAGE, output);
  const limit = tool.text("limit");
  if (limit !== null && !/^\d{1,6}$/.test(limit)) {
    return misused(`\`--limit ${limit}\` must be a whole number`, USAGE, output);
  }
  const json = tool.flag("json");
  const policies = [];
  for (const path of [older, newer]) {
    const document = await loadRules(path, kind.value, context.stdin);
    if (!document.ok) return failed(document.error, json, output);
    const policy = toolPolicy(document.value, matching.value ?? DEFAULT_MATCHING);
    if (!policy.ok) {
      const error = `\`${path}\` cannot be used: ${policy.error}; see policy check ${path}`;
      return failed(error, json, output);
    }
    policies.push(policy.value);
  }
  const diff = new PolicyDiff(policies[0]!, policies[1]!);
  const read = await readAuditFiles(
    tool.texts("audit"),
    context.stdin,
    (line) => diff.replay(line),
  );
  if (!read.ok) return failed(read.error, json, output);
  const report = diff.finish();
  const most = limit === null ? SHOWN_CHANGES : Number(limit);
  output.out(json ? `${JSON.stringify(diffJson(report, most))}\n` : diffText(report, most));
  return report.widened > 0 ? 1 : 0;
}
