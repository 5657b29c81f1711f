import { parseArgs, type ParseArgsConfig } from "node:util";
import { FIXED_STATUS_FOLDER } from "../config.ts";
import { configCandidates, loadConfig } from "../config_file.ts";
import type { Matching } from "../domain/policy/mod.ts";
import { ENDPOINT_NAMES, type EndpointName } from "../domain/wire/mod.ts";
import {
  type ByteSource,
  DOCUMENT_KINDS,
  type DocumentKind,
  MATCHINGS,
  readRuleDocument,
  type RuleDocument,
} from "../operator/policy_tools/mod.ts";
import { describeFileError } from "../runtime/files.ts";
import { err, ok, type Result } from "../runtime/result.ts";
import type { CommandOutput } from "./output.ts";
import type { Surroundings } from "./surroundings.ts";

/** What the tools need of their surroundings. */
export interface PolicyContext extends Surroundings {
  readonly stdin: ByteSource;
}

/** A document with rules that is larger is a mistake. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Options of a tool and their values. */
type Options = NonNullable<ParseArgsConfig["options"]>;

/** What the command line said. */
export interface ParsedTool {
  readonly positionals: readonly string[];
  text(name: string): string | null;
  /** All values of an option that may be given more than once. */
  texts(name: string): readonly string[];
  flag(name: string): boolean;
}

/** Reads a tool's command line. `--json` and `--help` are options of every tool. The error is a sentence. */
export function parseTool(args: readonly string[], options: Options): Result<ParsedTool, string> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: true,
      options: { ...options, json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    });
    const of = values as Readonly<Record<string, unknown>>;
    return ok({
      positionals,
      text: (name) => typeof of[name] === "string" ? of[name] : null,
      texts: (name) => Array.isArray(of[name]) ? of[name] as readonly string[] : [],
      flag: (name) => of[name] === true,
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return err(error.message);
  }
}

/** One of a few words; `null` when the option was not given. */
export function wordOption<T extends string>(
  parsed: ParsedTool,
  name: string,
  words: readonly T[],
): Result<T | null, string> {
  const text = parsed.text(name);
  if (text === null) return ok(null);
  const word = words.find((each) => each === text);
  return word === undefined
    ? err(`\`--${name} ${text}\` is not known; write one of ${words.join(", ")}`)
    : ok(word);
}

export function matchingOption(parsed: ParsedTool): Result<Matching | null, string> {
  return wordOption(parsed, "matching", MATCHINGS);
}

export function endpointOption(parsed: ParsedTool): Result<EndpointName | null, string> {
  return wordOption(parsed, "endpoint", ENDPOINT_NAMES);
}

export function kindOption(parsed: ParsedTool): Result<DocumentKind | null, string> {
  return wordOption(parsed, "as", DOCUMENT_KINDS);
}

/** The text of a file, or of the standard input for `-`. The error is a sentence that names it. */
export async function readText(
  path: string,
  stdin: ByteSource,
): Promise<Result<string, string>> {
  try {
    const bytes = path === "-" ? await readAll(stdin) : await readWhole(path);
    return ok(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    const name = path === "-" ? "The standard input" : `\`${path}\``;
    if (error instanceof TypeError) return err(`${name} is not UTF-8; save it as UTF-8`);
    return err(`${name} cannot be read: ${describeFileError(error)}`);
  }
}

async function readWhole(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  return await readAll(file);
}

async function readAll(source: ByteSource): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const buffer = new Uint8Array(64 * 1024);
  for (let read = await source.read(buffer); read !== null; read = await source.read(buffer)) {
    pieces.push(buffer.slice(0, read));
    length += read;
    if (length > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** A document with rules from a file. The error is a sentence that names file and place. */
export async function loadRules(
  path: string,
  as: DocumentKind | null,
  stdin: ByteSource,
): Promise<Result<RuleDocument, string>> {
  const text = await readText(path, stdin);
  if (!text.ok) return text;
  const document = readRuleDocument(text.value, as);
  return document.ok
    ? document
    : err(`\`${path}\` is wrong: ${document.error.message}; see policy check ${path}`);
}

/** Where the agent of this machine writes, and how it matches. */
export interface AgentPlace {
  readonly statusFolder: string;
  /** `null` where there is no configuration to say. */
  readonly matching: Matching | null;
}

/** The configuration's say, or the usual places where there is none and none was named. */
export async function agentPlace(
  configFile: string | null,
  context: PolicyContext,
): Promise<Result<AgentPlace, string>> {
  const candidates = configCandidates(context.executable);
  const loaded = await loadConfig(configFile, candidates, (name) => context.environment(name));
  if (loaded.ok) {
    const { statusFolder, matching } = loaded.value.config;
    return ok({ statusFolder, matching });
  }
  const isNone = configFile === null && !candidates.some(exists);
  return isNone
    ? ok({ statusFolder: FIXED_STATUS_FOLDER, matching: null })
    : err(loaded.error.problems.join("\n"));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Tells an error. Returns the exit code. */
export function failed(error: string, json: boolean, output: CommandOutput): 2 {
  if (json) output.out(`${JSON.stringify({ verdict: "error", error })}\n`);
  else output.err(`${error}\n`);
  return 2;
}

/** Tells wrong usage, and the right one. Returns the exit code. */
export function misused(error: string, usage: string, output: CommandOutput): 2 {
  output.err(`${error}\n\n${usage}`);
  return 2;
}
