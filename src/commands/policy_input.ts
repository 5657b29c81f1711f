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
import { type Options, type ParsedOptions, parseOptions } from "./options.ts";
import type { Surroundings } from "./surroundings.ts";

/** What the tools need of their surroundings. */
export interface PolicyContext extends Surroundings {
  readonly stdin: ByteSource;
}

/** A document with rules that is larger is a mistake. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Reads a tool's command line. `--json` is an option of every tool. The error is a sentence. */
export function parseTool(
  args: readonly string[],
  options: Options,
): Result<ParsedOptions, string> {
  return parseOptions(args, { ...options, json: { type: "boolean" } });
}

/** One of a few words; `null` when the option was not given. */
export function wordOption<T extends string>(
  parsed: ParsedOptions,
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

export function matchingOption(parsed: ParsedOptions): Result<Matching | null, string> {
  return wordOption(parsed, "matching", MATCHINGS);
}

export function endpointOption(parsed: ParsedOptions): Result<EndpointName | null, string> {
  return wordOption(parsed, "endpoint", ENDPOINT_NAMES);
}

export function kindOption(parsed: ParsedOptions): Result<DocumentKind | null, string> {
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
