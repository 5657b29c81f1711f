import {
  isIncomplete,
  suggestFromFiles,
  suggestJson,
  suggestText,
} from "../operator/policy_tools/mod.ts";
import type { CommandOutput } from "./output.ts";
import { failed, misused } from "./options.ts";
import { endpointOption, parseTool, type PolicyContext, wordOption } from "./policy_input.ts";

const USAGE = `Usage: azure-proxy-agent policy suggest --audit FILE... [options]

Suggests the narrowest rules for what an audit log has seen: each user with each executable that was proven, each path with its
parameters. The rules go to the standard output, counts and last use of each grant to the error output.

A rule's path stands for everything below it, and rules do not look at methods: narrower than that it cannot be said.

  --audit FILE       a file of the audit log; more may follow, in any order
  --endpoint NAME    only this endpoint: the output is then one item, which may also be used as a local rule file
  --mode MODE        the mode of the rules: enforce (by default), audit or disabled
  --denied           take in requests that were refused
  --replay           read the files again and show that the rules allow all of it, and nothing round it
  --json             one JSON object with everything in place of the rules
  -h, --help

Exit codes: 0 the rules cover what was seen, 1 they leave something out or allow too much, 2 wrong usage or a file that cannot
be read.
`;

/** Runs `policy suggest`. Returns the exit code. */
export async function policySuggestCommand(
  args: readonly string[],
  output: CommandOutput,
  context: PolicyContext,
): Promise<0 | 1 | 2> {
  const parsed = parseTool(args, {
    audit: { type: "string", multiple: true },
    endpoint: { type: "string" },
    mode: { type: "string" },
    denied: { type: "boolean" },
    replay: { type: "boolean" },
  });
  if (!parsed.ok) return misused(parsed.error, USAGE, output);
  const tool = parsed.value;
  if (tool.flag("help")) {
    output.out(USAGE);
    return 0;
  }
  const named = tool.texts("audit");
  if (named.length === 0) return misused("Name the audit log: --audit FILE...", USAGE, output);
  const files = [...named, ...tool.positionals];
  const endpoint = endpointOption(tool);
  if (!endpoint.ok) return misused(endpoint.error, USAGE, output);
  const mode = wordOption(tool, "mode", ["enforce", "audit", "disabled"]);
  if (!mode.ok) return misused(mode.error, USAGE, output);
  const replay = tool.flag("replay");
  if (replay && files.includes("-")) {
    return misused("`--replay` reads the log twice; name a file in place of `-`", USAGE, output);
  }
  const json = tool.flag("json");
  const item = endpoint.value === null ? null : endpoint.value === "imds" ? "imds" : "wireserver";
  const run = await suggestFromFiles(
    { files, mode: mode.value ?? "enforce", item, withDenied: tool.flag("denied"), replay },
    context.stdin,
  );
  if (!run.ok) return failed(run.error, json, output);
  if (json) output.out(`${JSON.stringify(suggestJson(run.value))}\n`);
  else {
    const { document } = run.value.suggestion;
    const shown = item === null ? document : document[item] ?? null;
    output.out(`${JSON.stringify(shown, null, 2)}\n`);
    output.err(suggestText(run.value));
  }
  return isIncomplete(run.value) ? 1 : 0;
}
