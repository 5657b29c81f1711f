import { DEFAULT_MATCHING, type Matching } from "../domain/policy/mod.ts";
import type { EndpointName } from "../domain/wire/mod.ts";
import {
  BatchAnswerer,
  CALLER_SYNTAX,
  callerOfText,
  errorAnswer,
  explainJson,
  type ExplainQuestion,
  explainRequest,
  explainText,
  kindText,
  LONGEST_AUDIT_LINE_BYTES,
  LONGEST_BATCH_LINE_BYTES,
  newestDump,
  readAuditLine,
  readLines,
  requestOfText,
  toolPolicy,
} from "../operator/policy_tools/mod.ts";
import { describeFileError } from "../runtime/files.ts";
import { err, ok, type Result } from "../runtime/result.ts";
import type { CommandOutput } from "./output.ts";
import { agentPlace } from "./agent_place.ts";
import { failed, misused, type ParsedOptions } from "./options.ts";
import {
  endpointOption,
  kindOption,
  loadRules,
  matchingOption,
  parseTool,
  type PolicyContext,
} from "./policy_input.ts";

const USAGE = `Usage: azure-proxy-agent policy explain --request REQUEST --caller CALLER [options]
       azure-proxy-agent policy explain --from-audit LINE|FILE:NUMBER [options]
       azure-proxy-agent policy explain --batch [--matching MATCHING]

Says what the agent does with a request, why, which selector failed, and which is the smallest rule that would allow it.

  --request REQUEST  'GET http://169.254.169.254/metadata/instance?api-version=2021-02-01', or 'METHOD TARGET' with --endpoint
  --endpoint NAME    wireserver, imds or hostga
  --caller CALLER    ${CALLER_SYNTAX}
                     each part optional, or a JSON object with userName, userGroups, processName, processFullPath and
                     runAsElevated; what is not named is unknown
  --from-audit WHAT  request and caller of a record of the audit log: the line itself, or FILE:NUMBER
  --policy FILE      the rules, in any form that policy check reads; by default the newest dump of the agent on this machine
  --as KIND          what FILE is: status, rules, item, local or dump
  --config FILE      the configuration that names the folder of the dumps and the matching
  --matching WORD    compat, shadow or enforce; by default what the configuration says, or shadow
  --all              every privilege and every identity
  --batch            answer JSON lines from the standard input, each with
                     {"item", "endpoint", "method", "target", "caller"}; see docs/policy_tools.md
  --json             one JSON object in place of text
  -h, --help

Exit codes: 0 allowed or only flagged, 1 denied, 2 wrong usage or a file that cannot be used. With --batch: 0, or 2.
`;

/** Runs `policy explain`. Returns the exit code. */
export async function policyExplainCommand(
  args: readonly string[],
  output: CommandOutput,
  context: PolicyContext,
): Promise<0 | 1 | 2> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const parsed = parseTool(args, {
    request: text,
    endpoint: text,
    caller: text,
    "from-audit": text,
    policy: text,
    as: text,
    config: text,
    matching: text,
    all: flag,
    batch: flag,
  });
  if (!parsed.ok) return misused(parsed.error, USAGE, output);
  const tool = parsed.value;
  if (tool.flag("help")) {
    output.out(USAGE);
    return 0;
  }
  const options = readOptions(tool);
  if (!options.ok) return misused(options.error, USAGE, output);
  if (tool.flag("batch")) return await batch(options.value.matching, output, context);
  const json = tool.flag("json");
  const asked = await questionOf(tool, options.value.endpoint, context);
  if (!asked.ok) return failed(asked.error, json, output);
  const rules = await policyOf(tool, options.value, asked.value.question.endpoint, context);
  if (!rules.ok) return failed(rules.error, json, output);
  const { question, recorded } = asked.value;
  const { policy, matching, source } = rules.value;
  const report = explainRequest(question, policy, matching);
  const { verdict } = report.judgement;
  const notes = recorded === null || recorded === "error" || recorded === verdict
    ? asked.value.notes
    : [...asked.value.notes, `these rules say ${verdict}: they are not those that decided then`];
  if (json) {
    output.out(`${JSON.stringify({ ...explainJson(report), source, notes })}\n`);
  } else {
    output.out(explainText(report, source, tool.flag("all")));
    for (const note of notes) output.out(`\nnote: ${note}\n`);
  }
  return verdict === "deny" ? 1 : 0;
}

interface ExplainOptions {
  readonly endpoint: EndpointName | null;
  readonly matching: Matching | null;
}

/** The options that have few values, and which of them go together. */
function readOptions(tool: ParsedOptions): Result<ExplainOptions, string> {
  if (tool.positionals.length > 0) {
    return err(`\`${tool.positionals[0]}\` is no option; quote REQUEST and CALLER`);
  }
  const endpoint = endpointOption(tool);
  if (!endpoint.ok) return endpoint;
  const matching = matchingOption(tool);
  if (!matching.ok) return matching;
  const kind = kindOption(tool);
  if (!kind.ok) return kind;
  const ways = ["request", "from-audit"].filter((name) => tool.text(name) !== null);
  const count = ways.length + (tool.flag("batch") ? 1 : 0);
  if (count !== 1) return err("Name one of --request, --from-audit and --batch");
  if (tool.text("request") !== null && tool.text("caller") === null) {
    return err(`Name the caller: --caller ${CALLER_SYNTAX}; --caller '' is one who is not known`);
  }
  if (tool.text("request") === null && tool.text("caller") !== null) {
    return err("`--caller` goes together with `--request` only");
  }
  return ok({ endpoint: endpoint.value, matching: matching.value });
}

interface Asked {
  readonly question: ExplainQuestion;
  readonly notes: readonly string[];
  /** What an audit record says became of it; `null` where there is none. */
  readonly recorded: string | null;
}

async function questionOf(
  tool: ParsedOptions,
  endpoint: EndpointName | null,
  context: PolicyContext,
): Promise<Result<Asked, string>> {
  const written = tool.text("from-audit");
  if (written !== null) return await questionOfAudit(written, context);
  const request = requestOfText(tool.text("request")!, endpoint);
  if (!request.ok) return request;
  const claims = callerOfText(tool.text("caller")!);
  if (!claims.ok) return claims;
  return ok({ question: { ...request.value, claims: claims.value }, notes: [], recorded: null });
}

async function questionOfAudit(
  written: string,
  context: PolicyContext,
): Promise<Result<Asked, string>> {
  const line = written.includes("{") ? ok(written) : await numberedLine(written, context);
  if (!line.ok) return line;
  const record = readAuditLine(line.value);
  switch (record.kind) {
    case "broken":
      return err(`The audit line cannot be read: ${record.why}`);
    case "other":
      return err("The audit line is about no request with a known caller; name another one");
    case "repeated": {
      const { endpoint, method, path: target, claims } = record;
      const note = `the line stands for ${record.count} requests whose queries were not written: ` +
        "they are explained without a query";
      return ok({ question: { endpoint, method, target, claims }, notes: [note], recorded: null });
    }
    case "request": {
      const { endpoint, method, target, claims, damage } = record;
      const epoch = record.policyEpoch === null ? "" : `, policy ${record.policyEpoch}`;
      const notes = [
        `recorded ${record.ts || "at an unknown time"}: ${record.decision ?? "no decision"}` +
        `${record.reason === null ? "" : ` (${record.reason})`}${epoch}`,
      ];
      if (damage !== null) notes.push(`the target was ${damage} when it was written`);
      return ok({
        question: { endpoint, method, target, claims },
        notes,
        recorded: record.decision,
      });
    }
  }
}

/** The line of `FILE:NUMBER`. */
async function numberedLine(
  written: string,
  context: PolicyContext,
): Promise<Result<string, string>> {
  const place = /^(.+):([1-9]\d{0,11})$/.exec(written);
  if (place === null) {
    return err(`\`${written}\` is neither a line of the audit log nor FILE:NUMBER`);
  }
  const [, path = "", digits = ""] = place;
  const number = Number(digits);
  try {
    using file = path === "-" ? null : await Deno.open(path);
    let count = 0;
    for await (const lines of readLines(file ?? context.stdin, LONGEST_AUDIT_LINE_BYTES)) {
      if (count + lines.length < number) {
        count += lines.length;
        continue;
      }
      const line = lines[number - count - 1]!;
      return typeof line === "string" ? ok(line) : err(`${path}:${number}: ${line.fault}`);
    }
    return err(`\`${path}\` has ${count} lines; there is no line ${number}`);
  } catch (error) {
    return err(`\`${path}\` cannot be read: ${describeFileError(error)}`);
  }
}

async function policyOf(
  tool: ParsedOptions,
  options: ExplainOptions,
  endpoint: EndpointName,
  context: PolicyContext,
) {
  const config = tool.text("config");
  let path = tool.text("policy");
  let matching = options.matching;
  if (path === null || config !== null) {
    const place = await agentPlace(config, context);
    if (!place.ok) return place;
    matching ??= place.value.matching;
    if (path === null) {
      const dump = await findDump(place.value.statusFolder);
      if (!dump.ok) return dump;
      path = dump.value;
    }
  }
  const kind = kindOption(tool);
  const document = await loadRules(path, kind.ok ? kind.value : null, context.stdin);
  if (!document.ok) return document;
  const chosen = matching ?? DEFAULT_MATCHING;
  const policy = toolPolicy(document.value, chosen);
  if (!policy.ok) {
    return err(`\`${path}\` cannot be used: ${policy.error}; see policy check ${path}`);
  }
  const { epoch } = document.value;
  return ok({
    policy: policy.value.endpoints[endpoint],
    matching: chosen,
    source: `${path}, ${kindText(document.value.kind)}${epoch === null ? "" : `, policy ${epoch}`}`,
  });
}

async function findDump(folder: string): Promise<Result<string, string>> {
  const remedy =
    "name the rules with --policy FILE, or the agent's configuration with --config FILE";
  try {
    const dump = await newestDump(folder);
    return dump === null
      ? err(`There is no rule dump of an agent in \`${folder}\`; ${remedy}`)
      : ok(dump);
  } catch (error) {
    return err(`\`${folder}\` cannot be read: ${describeFileError(error)}; ${remedy}`);
  }
}

/** Answers as long as lines come, each as soon as it is there. */
async function batch(
  matching: Matching | null,
  output: CommandOutput,
  context: PolicyContext,
): Promise<0 | 2> {
  const answerer = new BatchAnswerer(matching ?? DEFAULT_MATCHING);
  try {
    for await (const lines of readLines(context.stdin, LONGEST_BATCH_LINE_BYTES)) {
      let answers = "";
      for (const line of lines) {
        answers += typeof line === "string" ? answerer.answer(line) : errorAnswer(line.fault);
        answers += "\n";
      }
      output.out(answers);
    }
    return 0;
  } catch (error) {
    return failed(`The standard input cannot be read: ${describeFileError(error)}`, false, output);
  }
}
