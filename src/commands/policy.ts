import type { CommandOutput } from "./output.ts";
import { SURROUNDINGS } from "./surroundings.ts";
import type { PolicyContext } from "./policy_input.ts";

const USAGE = `Usage: azure-proxy-agent policy check|explain|diff|suggest|schema ... [--json]

Tools for rules. All of them ask the engine that the agent runs, and none of them changes anything.

  check FILE                    what is wrong with rules, and what is likely to be a mistake
  explain --request REQUEST --caller CALLER
                                what becomes of a request, why, and which rule would change it
  diff OLD NEW                  what becomes allowed and what becomes denied
  suggest --audit FILE...       the narrowest rules for what the audit log has seen
  schema [item|local]           the JSON Schema of rules, for editors

Each has a --help of its own.

Exit codes: 0 allowed or nothing found, 1 denied or something found, 2 wrong usage or a file that cannot be used.
`;

/** This process. */
const PROCESS: PolicyContext = Object.freeze({
  ...SURROUNDINGS,
  get stdin() {
    return Deno.stdin;
  },
});

/** Runs `policy`. Returns the exit code. Each tool is loaded only when it is asked for. */
export async function policyCommand(
  args: readonly string[],
  output: CommandOutput,
  context: PolicyContext = PROCESS,
): Promise<0 | 1 | 2> {
  const [tool, ...rest] = args;
  switch (tool) {
    case "check": {
      const { policyCheckCommand } = await import("./policy_check.ts");
      return await policyCheckCommand(rest, output, context);
    }
    case "explain": {
      const { policyExplainCommand } = await import("./policy_explain.ts");
      return await policyExplainCommand(rest, output, context);
    }
    case "diff": {
      const { policyDiffCommand } = await import("./policy_diff.ts");
      return await policyDiffCommand(rest, output, context);
    }
    case "suggest": {
      const { policySuggestCommand } = await import("./policy_suggest.ts");
      return await policySuggestCommand(rest, output, context);
    }
    case "schema": {
      const { policySchemaCommand } = await import("./policy_check.ts");
      return policySchemaCommand(rest, output);
    }
    case "help":
    case "--help":
    case "-h":
      output.out(USAGE);
      return 0;
  }
  const error = tool === undefined ? "`policy` wants the name of a tool" : `no tool \`${tool}\``;
  output.err(`${error}; name check, explain, diff, suggest or schema\n\n${USAGE}`);
  return 2;
}
