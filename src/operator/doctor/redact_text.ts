import { redact, REDACTION_MARK } from "../../domain/identity/mod.ts";

/** A line of a log is shorter; what is longer is cut before it is looked through for secrets. */
const LONGEST_LINE = 16 * 1024;
/** How deep the documents of the agent are, with room. */
const DEEPEST = 40;
const KEY_BEGINS = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/;
const KEY_ENDS = /-----END [A-Z0-9 ]*PRIVATE KEY-----/;

/**
 * A text of any kind without its secrets: a JSON document value by value, everything else line by line, and private keys of
 * several lines as a whole. Lines of a log whose message is a JSON object are redacted value by value too, so that a secret
 * in one member does not hide the rest of the record.
 */
export function redactAny(text: string): string {
  const document = parsedObject(text);
  if (document !== null) return `${JSON.stringify(withoutSecrets(document, 0), null, 2)}\n`;
  const lines: string[] = [];
  let isInKey = false;
  for (const line of text.split("\n")) {
    if (!isInKey) lines.push(redactLine(line));
    isInKey = isInKey ? !KEY_ENDS.test(line) : KEY_BEGINS.test(line) && !KEY_ENDS.test(line);
  }
  return lines.join("\n");
}

function redactLine(line: string): string {
  if (line.length > LONGEST_LINE) {
    return `${redact(line.slice(0, LONGEST_LINE).toWellFormed())} [CUT]`;
  }
  const brace = line.indexOf("{");
  const record = brace < 0 ? null : parsedObject(line.slice(brace));
  return record === null
    ? redact(line)
    : redact(line.slice(0, brace)) + JSON.stringify(withoutSecrets(record, 0));
}

function parsedObject(text: string): object | null {
  const start = text.trimStart()[0];
  if (start !== "{" && start !== "[") return null;
  try {
    return JSON.parse(text) as object;
  } catch {
    return null;
  }
}

function withoutSecrets(value: unknown, depth: number): unknown {
  if (depth > DEEPEST) return REDACTION_MARK;
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((each) => withoutSecrets(each, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      redact(name),
      isSecretBy(name, each) ? REDACTION_MARK : withoutSecrets(each, depth + 1),
    ]),
  );
}

/** Stands for a value that is no text. */
const SOME_SECRET = "x".repeat(16);

/** A member whose name says that it is a secret is one, whatever it looks like. What is only true, false or null is none. */
function isSecretBy(name: string, value: unknown): boolean {
  if (typeof value === "boolean" || value === null) return false;
  const text = typeof value === "string" ? value : SOME_SECRET;
  return !redact(`${name}=${text}`).startsWith(`${name}=`);
}
