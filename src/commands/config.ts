import { configCandidates, type ConfigRefusal, loadConfig, refusalText } from "../config_file.ts";
import type { EffectiveValue } from "../config_reader.ts";
import CONFIG_SCHEMA from "../config_schema.json" with { type: "json" };
import type { CommandOutput } from "./output.ts";
import { SURROUNDINGS, type Surroundings } from "./surroundings.ts";

const USAGE = `Usage: azure-proxy-agent config check [FILE] [--json]
       azure-proxy-agent config show [FILE] [--json]
       azure-proxy-agent config schema

Without FILE the one that the service would take: /etc/azure/proxy-agent.json, or proxy-agent.json beside the executable.
Nothing is changed.

  check    says what is wrong with a configuration and what is odd
  show     prints every key with the value that counts and where it comes from: file, default or environment (a variable
           that stands in a folder)
  schema   prints the JSON Schema of a configuration, for editors

Exit codes: 0 right, 1 wrong or odd (\`show\`: wrong), 2 wrong usage or a file that cannot be read.
`;

/** Runs `config`. Returns the exit code. */
export async function configCommand(
  args: readonly string[],
  output: CommandOutput,
  context: Surroundings = SURROUNDINGS,
): Promise<0 | 1 | 2> {
  if (args.some((arg) => ["help", "--help", "-h"].includes(arg))) {
    output.out(USAGE);
    return 0;
  }
  const json = args.includes("--json");
  const [tool, file = null, ...more] = args.filter((arg) => arg !== "--json");
  const unknown = more[0] ?? (file?.startsWith("-") === true ? file : undefined);
  if (unknown !== undefined) return misused(`\`${unknown}\` is one argument too many`, output);
  switch (tool) {
    case "schema":
      if (file !== null) return misused("`config schema` takes no file", output);
      output.out(`${JSON.stringify(CONFIG_SCHEMA, null, 2)}\n`);
      return 0;
    case "check":
      return check(await load(file, context), json, output);
    case "show":
      return show(await load(file, context), json, output);
  }
  const problem = tool === undefined ? "`config` wants a word more" : `no \`config ${tool}\``;
  return misused(`${problem}: check, show or schema`, output);
}

type Loaded = Awaited<ReturnType<typeof load>>;

function load(file: string | null, context: Surroundings) {
  const candidates = configCandidates(context.executable);
  const environment = (name: string) => context.environment(name);
  // The service finds this file by itself, which decides where its status lies.
  if (file !== null && candidates.includes(file)) return loadConfig(null, [file], environment);
  return loadConfig(file, candidates, environment);
}

function check(loaded: Loaded, json: boolean, output: CommandOutput): 0 | 1 | 2 {
  if (!loaded.ok) return refused(loaded.error, json, output);
  const { path, warnings } = loaded.value;
  if (json) {
    const verdict = warnings.length === 0 ? "ok" : "odd";
    output.out(`${JSON.stringify({ verdict, file: path, errors: [], warnings })}\n`);
  } else {
    const lines = warnings.map((warning) => `odd: ${warning}`);
    const verdict = warnings.length === 0 ? "right" : "can be used, and is odd";
    output.out(`${[`${path}: ${verdict}`, ...lines].join("\n")}\n`);
  }
  return warnings.length === 0 ? 0 : 1;
}

function show(loaded: Loaded, json: boolean, output: CommandOutput): 0 | 1 | 2 {
  if (!loaded.ok) return refused(loaded.error, json, output);
  const { path, values, warnings } = loaded.value;
  if (json) output.out(`${JSON.stringify({ file: path, values, warnings }, null, 2)}\n`);
  else output.out(`${[`# ${path}`, ...values.map(lineOf)].join("\n")}\n`);
  if (!json) { for (const warning of warnings) output.err(`odd: ${warning}\n`); }
  return 0;
}

const KEY_WIDTH = 32;
const ORIGIN_WIDTH = 12;

function lineOf({ key, value, origin }: EffectiveValue): string {
  const shown = value === null ? "not set" : JSON.stringify(value);
  return `${key.padEnd(KEY_WIDTH)}${origin.padEnd(ORIGIN_WIDTH)}${shown}`;
}

function refused(refusal: ConfigRefusal, json: boolean, output: CommandOutput): 1 | 2 {
  const { kind, problems, warnings } = refusal;
  if (json) output.out(`${JSON.stringify({ verdict: kind, errors: problems, warnings })}\n`);
  else output.err(refusalText(refusal));
  return kind === "wrong" ? 1 : 2;
}

function misused(problem: string, output: CommandOutput): 2 {
  output.err(`${problem}\n\n${USAGE}`);
  return 2;
}
