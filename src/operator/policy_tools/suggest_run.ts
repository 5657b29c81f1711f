import type { Mode } from "../../domain/wire/mod.ts";
import { ok, type Result } from "../../runtime/result.ts";
import type { AuditLine } from "./audit_line.ts";
import { readAuditFiles } from "./audit_files.ts";
import type { ByteSource } from "./line_splitter.ts";
import { type ItemName, itemNameOf, Observations } from "./observations.ts";
import { SuggestReplay } from "./suggest_replay.ts";
import { suggestRules } from "./suggest.ts";
import type { SuggestReport } from "./suggest_text.ts";

/** What is to be suggested, and from what. */
export interface SuggestRequest {
  readonly files: readonly string[];
  readonly mode: Mode;
  /** `null`: all endpoints. */
  readonly item: ItemName | null;
  /** Whether requests that were refused are taken in. */
  readonly withDenied: boolean;
  /** Reads the files a second time, which standard input does not allow. */
  readonly replay: boolean;
}

/** Suggests rules for what the files have seen. The error is a sentence that names the file. */
export async function suggestFromFiles(
  request: SuggestRequest,
  stdin: ByteSource,
): Promise<Result<SuggestReport, string>> {
  const { files, mode, item, withDenied } = request;
  const isMeant = (line: AuditLine) =>
    item === null || !("endpoint" in line) || itemNameOf(line.endpoint) === item;
  const observations = new Observations(withDenied);
  const read = await readAuditFiles(files, stdin, (line) => {
    if (isMeant(line)) observations.add(line);
  });
  if (!read.ok) return read;
  const suggestion = suggestRules(observations, mode);
  const report = { read: read.value, observations, suggestion };
  if (!request.replay) return ok({ ...report, replay: null });
  const replay = new SuggestReplay(suggestion, withDenied);
  const again = await readAuditFiles(files, stdin, (line) => {
    if (isMeant(line)) replay.add(line);
  });
  return again.ok ? ok({ ...report, replay: replay.finish() }) : again;
}
