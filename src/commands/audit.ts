import {
  type Finding,
  readWitness,
  verifyLog,
  type VerifyReport,
  type VerifyRequest,
  type Witness,
} from "../agent/audit/mod.ts";
import { describeFileError } from "../runtime/files.ts";
import { agentPlace } from "./agent_place.ts";
import { failed, misused, parseOptions } from "./options.ts";
import type { CommandOutput } from "./output.ts";
import { SURROUNDINGS, type Surroundings } from "./surroundings.ts";

/** What the command line asked for. */
export type AuditRequest =
  | {
    readonly kind: "verify";
    readonly files: readonly string[];
    readonly folder: string | null;
    readonly configFile: string | null;
    /** As given: a place in the chain, or a file that names one. */
    readonly anchors: readonly string[];
    readonly fromSeq: number | null;
    readonly json: boolean;
  }
  | { readonly kind: "help" }
  | { readonly kind: "usage"; readonly error: string };

const USAGE = `Usage: azure-proxy-agent audit verify [options] [FILE...]

Reads the audit log and says whether it is, byte for byte, what the agent wrote; if not, where. It changes nothing and may run
while the agent does.

Every record carries its number (seq), the hash of the record before it (prevHash) and its own (hash). What is changed, taken
out, put in or moved breaks the chain at that place. That the log was not cut at its end is known from the anchor: the file
ProxyAgent.Connection.anchor.json beside it and the member auditLog of the status document name a record that was on the disk
at most a minute ago. That nothing is missing at its beginning is known from the log itself, which notes what the agent deleted
to make room.

Without FILE the log is verified as a whole: in --folder, or where the configuration says. FILE names files of the log, such as
copies, in any order; what comes before the first of them and after the last one is then not looked for.

  --folder DIR       the folder of the log
  --config FILE      the configuration that names the folder
  --from-seq N       the first record that must be there, in place of what the log says itself
  --anchor ANCHOR    a record that must be there: SEQ:HASH, or a copy of an anchor or of a status document; more than one
                     may be given
  --json             one JSON object in place of text
  -h, --help

Somebody who can write to the log, the anchor and the status document can write a new chain. Keep an anchor elsewhere: whoever
collects the status document has one.

What a finding means:
  changed            the bytes of a record are not those that were hashed
  not-a-record       a line that was not written by the agent, or whose seal was changed
  missing            records are gone from the middle
  out-of-order       a record stands too late, or twice
  unlinked           a record does not follow the one before it
  unfinished         the end of the last line is missing
  beginning-missing  records are gone from the beginning
  end-missing        records are gone from the end
  anchor             a record is another one than an anchor names
  noted              the agent itself found damage when it opened the log

Exit codes: 0 intact, 1 broken, 2 nothing could be verified or wrong usage.
`;

/** Runs `audit`. Returns the exit code: 0 intact, 1 broken, 2 nothing could be verified or wrong usage. */
export async function auditCommand(
  args: readonly string[],
  output: CommandOutput,
  context: Surroundings = SURROUNDINGS,
): Promise<0 | 1 | 2> {
  const request = parseAuditArgs(args);
  if (request.kind === "help") {
    output.out(USAGE);
    return 0;
  }
  if (request.kind === "usage") return misused(request.error, USAGE, output);
  const asked = await resolve(request, context);
  if (typeof asked === "string") return failed(asked, request.json, output);
  let report: VerifyReport;
  try {
    report = await verifyLog(asked);
  } catch (error) {
    return failed(`The log cannot be read: ${describeFileError(error)}`, request.json, output);
  }
  if (report.records === 0 && report.isIntact) {
    const where = "folder" in asked.log ? asked.log.folder : asked.log.files.join(", ");
    return failed(`There is no record of a chain in ${where}`, request.json, output);
  }
  output.out(request.json ? `${JSON.stringify(asJson(report))}\n` : asText(report));
  return report.isIntact ? 0 : 1;
}

/** Reads the command line of `audit`. */
export function parseAuditArgs(args: readonly string[]): AuditRequest {
  const usage = (error: string): AuditRequest => ({ kind: "usage", error });
  const parsed = parseOptions(args, {
    folder: { type: "string" },
    config: { type: "string" },
    "from-seq": { type: "string" },
    anchor: { type: "string", multiple: true },
    json: { type: "boolean" },
  });
  if (!parsed.ok) return usage(parsed.error);
  const { positionals: [command, ...files], flag, text, texts } = parsed.value;
  if (flag("help") || command === "help") return { kind: "help" };
  if (command !== "verify") return usage("`audit` wants `verify`");
  const folder = text("folder");
  const configFile = text("config");
  if (files.length > 0 && (folder !== null || configFile !== null)) {
    return usage("Name either files or a folder");
  }
  if (folder !== null && configFile !== null) {
    return usage("Name either a folder or a configuration");
  }
  const fromSeq = text("from-seq");
  if (fromSeq !== null && !/^[1-9]\d{0,14}$/.test(fromSeq)) {
    return usage("`--from-seq` wants a whole number from 1");
  }
  return {
    kind: "verify",
    files,
    folder,
    configFile,
    anchors: texts("anchor"),
    fromSeq: fromSeq === null ? null : Number(fromSeq),
    json: flag("json"),
  };
}

/** Finds the log and reads the anchors. Returns a sentence when that is not possible. */
async function resolve(
  request: AuditRequest & { readonly kind: "verify" },
  context: Surroundings,
): Promise<VerifyRequest | string> {
  const witnesses: Witness[] = [];
  for (const text of request.anchors) {
    const place = /^([1-9]\d{0,14}):([0-9a-f]{64})$/i.exec(text);
    const witness = place === null
      ? readWitness(text)
      : { seq: Number(place[1]), hash: place[2]!.toLowerCase(), from: "--anchor" };
    if (witness === null) return `\`${text}\` is neither SEQ:HASH nor a file that names a record`;
    witnesses.push(witness);
  }
  const { files, fromSeq } = request;
  if (files.length > 0) return { log: { files }, statusFiles: [], witnesses, fromSeq };
  const folders = request.folder === null
    ? await configuredFolders(request.configFile, context)
    : { log: request.folder, status: request.folder };
  if (typeof folders === "string") return folders;
  return {
    log: { folder: folders.log },
    statusFiles: [`${folders.status}/status.json`],
    witnesses,
    fromSeq,
  };
}

/** The folders of the configuration, or the usual ones. */
async function configuredFolders(
  configFile: string | null,
  context: Surroundings,
): Promise<{ readonly log: string; readonly status: string } | string> {
  const place = await agentPlace(configFile, context);
  if (!place.ok) return place.error;
  const { logFolder, statusFolder } = place.value;
  if (logFolder === null) return "The configuration keeps no audit log: `logFolder` is empty";
  return { log: logFolder, status: statusFolder };
}

function asJson(report: VerifyReport): Record<string, unknown> {
  const { files, records, first, last, findings, moreFindings, remarks, witnesses } = report;
  return {
    verdict: report.isIntact ? "intact" : "broken",
    records,
    firstSeq: first?.seq ?? null,
    lastSeq: last?.seq ?? null,
    lastHash: last?.hash ?? null,
    files,
    anchors: witnesses,
    findings,
    moreFindings,
    remarks,
  };
}

function asText(report: VerifyReport): string {
  const { files, records, first, last, findings, moreFindings, remarks, witnesses } = report;
  const count = findings.length + moreFindings;
  const head = report.isIntact ? "intact" : `broken, ${count} finding${count === 1 ? "" : "s"}`;
  const range = first === null || last === null ? "" : `, seq ${first.seq} to ${last.seq}`;
  const lines = [`${head}: ${records} records${range}, in ${files.length} files`];
  for (const finding of findings) lines.push(...findingText(finding));
  if (moreFindings > 0) lines.push(`  and ${moreFindings} more`);
  for (const { file, line, text } of remarks) lines.push(`  note: ${file}:${line}: ${text}`);
  for (const { seq, from } of witnesses) lines.push(`  anchor: seq ${seq}, from ${from}`);
  if (witnesses.length === 0) lines.push("  no anchor: a log that was cut at its end looks intact");
  if (last !== null) lines.push(`  last: ${last.seq}:${last.hash}`);
  return `${lines.join("\n")}\n`;
}

function findingText({ kind, file, line, seq, expected, found }: Finding): string[] {
  const place = line === 0 ? file : `${file}:${line}`;
  return [
    `  ${place}: ${kind}${seq === null ? "" : `, seq ${seq}`}`,
    `    expected ${expected}`,
    `    found    ${found}`,
  ];
}
