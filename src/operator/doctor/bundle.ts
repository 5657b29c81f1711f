import { ANCHOR_FILE_NAME, AUDIT_FILE_NAME } from "../../agent/audit/mod.ts";
import { isRuleDump } from "../../agent/status/mod.ts";
import type { ArchiveEntry } from "./archive.ts";
import { ruleFilesOf } from "./checks/files.ts";
import type { DoctorReport } from "./run.ts";
import { redactAny } from "./redact_text.ts";
import { reportJson, reportText } from "./report_text.ts";
import type { Situation } from "./situation.ts";

/** The agent's own log. */
const LOG_NAME = "ProxyAgent.log";
/** The local copy of telemetry. */
const EVENT_LOG_NAME = "ProxyAgent.Events.ndjson";
/** What a running agent is asked. */
const QUESTIONS = Object.freeze({
  "agent/status.json": "/v1/status",
  "agent/attestation.json": "/v1/attestation",
  "agent/metrics.txt": "/metrics",
});
const ASK_LIMIT_MS = 3_000;
const MOST_DUMPS = 5;
const MOST_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MOST_FACTS_BYTES = 256 * 1024;
const TELL_LIMIT_MS = 2_000;
const UNIT = "azure-proxy-agent.service";

/** Texts of the system that help to understand a report. None of them holds arguments or environments of processes. */
const FACT_FILES = Object.freeze({
  "system/os-release.txt": "/etc/os-release",
  "system/kernel.txt": "/proc/version",
  "system/cgroup.txt": "/proc/self/cgroup",
  "system/meminfo.txt": "/proc/meminfo",
  "system/uptime.txt": "/proc/uptime",
  "system/tcp.txt": "/proc/self/net/tcp",
  "system/sockstat.txt": "/proc/self/net/sockstat",
  "system/lockdown.txt": "/sys/kernel/security/lockdown",
});
const FACT_COMMANDS: Readonly<Record<string, readonly string[]>> = Object.freeze({
  "system/unit.txt": ["systemctl", "status", "--no-pager", "--lines=0", UNIT],
  "system/unit-files.txt": ["systemctl", "cat", "--no-pager", UNIT],
  "system/journal.txt": ["journalctl", "--no-pager", "-u", UNIT, "-n", "2000", "-o", "short-iso"],
  "system/programs.txt": ["bpftool", "cgroup", "tree"],
});

/** What goes into the bundle, and what could not. */
export interface BundleContents {
  readonly entries: readonly ArchiveEntry[];
  /** Sentences. */
  readonly leftOut: readonly string[];
}

/**
 * Collects what somebody far away needs: configuration, status, rules, the ends of the logs, the report of the checks, and
 * facts about kernel, cgroup and redirection. Secrets are replaced; from the key folder nothing but names, sizes
 * and modes is taken.
 * @param logBytes how much of the end of each log
 */
export async function collectBundle(
  situation: Situation,
  report: DoctorReport,
  logBytes: number,
): Promise<BundleContents> {
  const { machine, settings, statusPath } = situation;
  const entries: ArchiveEntry[] = [];
  const leftOut: string[] = [];
  const add = (name: string, text: string) => entries.push({ name, text: redactAny(text) });
  const copy = async (
    name: string,
    path: string,
    mostBytes: number,
    from: "start" | "end" = "start",
  ) => {
    try {
      const text = await machine.readText(path, mostBytes, from);
      if (text === null) leftOut.push(`${path}: there is none`);
      else add(name, from === "end" ? wholeLines(text, mostBytes) : text);
    } catch (error) {
      leftOut.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  // The agent writes and reads no links there. One that somebody made could lead to anything on the machine.
  const copyOwn: typeof copy = async (name, path, mostBytes, from) => {
    const facts = await machine.facts(path).catch(() => null);
    if (facts?.kind === "link") leftOut.push(`${path}: it is a link, and was not followed`);
    else await copy(name, path, mostBytes, from);
  };
  add("doctor.txt", reportText(report));
  add("doctor.json", reportJson(report));
  if (settings.configFile !== null) {
    await copy("config.json", settings.configFile, MOST_DOCUMENT_BYTES);
  }
  await copyOwn("status.json", statusPath, MOST_DOCUMENT_BYTES);
  for (const { path } of await ruleFilesOf(situation)) {
    await copyOwn(`rules/${baseName(path)}`, path, MOST_DOCUMENT_BYTES);
  }
  const dumps = (await machine.names(settings.statusFolder) ?? []).filter(isRuleDump).sort();
  for (const name of dumps.slice(-MOST_DUMPS)) {
    await copyOwn(`rules/${name}`, `${settings.statusFolder}/${name}`, MOST_DOCUMENT_BYTES);
  }
  if (settings.logFolder !== null) {
    for (const name of [LOG_NAME, AUDIT_FILE_NAME, EVENT_LOG_NAME]) {
      await copyOwn(`logs/${name}`, `${settings.logFolder}/${name}`, logBytes, "end");
    }
    await copyOwn(
      `logs/${ANCHOR_FILE_NAME}`,
      `${settings.logFolder}/${ANCHOR_FILE_NAME}`,
      logBytes,
    );
  }
  if (settings.controlSocket !== null) {
    const { controlSocket } = settings;
    const answers = Object.entries(QUESTIONS).map(([name, path]) => ({
      name,
      path,
      answer: machine.ask(controlSocket, path, ASK_LIMIT_MS).catch(() => null),
    }));
    for (const { name, path, answer } of answers) {
      const text = await answer;
      if (text === null) leftOut.push(`${path} of the control socket: no answer`);
      else add(name, text);
    }
  }
  for (const [name, path] of Object.entries(FACT_FILES)) await copy(name, path, MOST_FACTS_BYTES);
  for (const [name, command] of Object.entries(FACT_COMMANDS)) {
    const told = await machine.tell(command, TELL_LIMIT_MS);
    if (told === null || told.stdout === "") leftOut.push(`${command[0]}: it said nothing`);
    else add(name, told.stdout);
  }
  add("system/folders.txt", await listFolders(situation));
  add("redirection.json", redirectionText(situation));
  add("contents.txt", contentsText(entries, leftOut, report));
  return { entries, leftOut };
}

/** Names, sizes, owners and modes of what is in the agent's folders. */
async function listFolders({ machine, settings }: Situation): Promise<string> {
  const { logFolder, statusFolder, eventFolder, keyFolder, rulesFolder } = settings;
  const lines: string[] = [];
  for (const folder of new Set([logFolder, statusFolder, eventFolder, keyFolder, rulesFolder])) {
    if (folder === null) continue;
    const names = await machine.names(folder).catch(() => null);
    lines.push(`${folder}${names === null ? ": cannot be listed" : ""}`);
    for (const name of [...names ?? []].sort().slice(0, 1000)) {
      const facts = await machine.facts(`${folder}/${name}`).catch(() => null);
      if (facts === null) continue;
      const { kind, mode, uid, sizeBytes, modifiedMs } = facts;
      const time = new Date(modifiedMs).toISOString();
      lines.push(
        `  ${mode.toString(8).padStart(4, "0")} ${uid} ${kind} ${sizeBytes} ${time} ${name}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function redirectionText(situation: Situation): string {
  try {
    const facts = { cgroup: situation.kernel.cgroup(), ...situation.redirection() };
    const plain = (_: string, value: unknown) => typeof value === "bigint" ? String(value) : value;
    return `${JSON.stringify(facts, plain, 2)}\n`;
  } catch (error) {
    return `${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`;
  }
}

function contentsText(
  entries: readonly ArchiveEntry[],
  leftOut: readonly string[],
  { version, wallMs }: DoctorReport,
): string {
  return [
    `azure-proxy-agent ${version}, collected ${new Date(wallMs).toISOString()}`,
    "Secrets were replaced by [REDACTED]. No key file was read.",
    "",
    ...entries.map(({ name, text }) => `${String(text.length).padStart(9)} ${name}`),
    ...(leftOut.length === 0 ? [] : ["", "Not in here:", ...leftOut.map((line) => `  ${line}`)]),
    "",
  ].join("\n");
}

/** Without the line that the cut went through. */
function wholeLines(text: string, mostBytes: number): string {
  const wasCut = new TextEncoder().encode(text).length >= mostBytes;
  return wasCut ? text.slice(text.indexOf("\n") + 1) : text;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
