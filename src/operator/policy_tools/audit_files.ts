import { describeFileError } from "../../runtime/files.ts";
import { err, ok, type Result } from "../../runtime/result.ts";
import { type AuditLine, LONGEST_AUDIT_LINE_BYTES, readAuditLine } from "./audit_line.ts";
import { type ByteSource, readLines } from "./line_splitter.ts";

/** What was read of audit files. */
export interface AuditCounts {
  /** Lines with something in them. */
  readonly lines: number;
  /** Lines that are no lines of an audit log. */
  readonly broken: number;
  /** Where the first of them stands; `null` when there is none. */
  readonly firstBroken: string | null;
}

/**
 * Reads audit files one after the other, line by line: however long they are, no more than a piece of one is in memory.
 * `-` is `stdin`. The error is a sentence that names the file.
 */
export async function readAuditFiles(
  paths: readonly string[],
  stdin: ByteSource,
  onLine: (line: AuditLine) => void,
): Promise<Result<AuditCounts, string>> {
  let lines = 0;
  let broken = 0;
  let firstBroken: string | null = null;
  for (const path of paths) {
    try {
      using file = path === "-" ? null : await Deno.open(path);
      let number = 0;
      for await (const some of readLines(file ?? stdin, LONGEST_AUDIT_LINE_BYTES)) {
        for (const text of some) {
          number++;
          if (text === "") continue;
          lines++;
          const line: AuditLine = typeof text === "string"
            ? readAuditLine(text)
            : { kind: "broken", why: text.fault };
          if (line.kind === "broken") {
            broken++;
            firstBroken ??= `${path}:${number}: ${line.why}`;
          }
          onLine(line);
        }
      }
    } catch (error) {
      return err(`\`${path}\` cannot be read: ${describeFileError(error)}`);
    }
  }
  return ok({ lines, broken, firstBroken });
}
