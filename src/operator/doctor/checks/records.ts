import { AUDIT_FILE_NAME, verifyLog } from "../../../agent/audit/mod.ts";
import { checkDocument, FileExeInspector, newestDump } from "../../policy_tools/mod.ts";
import {
  type Check,
  fail,
  fine,
  judge,
  ownCommand,
  type Problem,
  shellWord,
  START,
  warn,
} from "../check.ts";
import { ruleFilesOf } from "./files.ts";

/** Larger documents take too long to try here. */
const LONGEST_RULES_BYTES = 128 * 1024;
/** Findings of one document that are told. */
const MOST_FINDINGS = 3;
/** More of the audit log than this is left to the command. */
const MOST_AUDIT_BYTES = 24 * 1024 * 1024;

/** Rule files and the policy in use, by the same parser, linter and self-test as `policy check`. Source: authorization 9.5. */
export const ruleDocuments: Check = {
  name: "rules",
  title: "rules",
  limitMs: 1_000,
  async run(situation) {
    const { machine, settings: { statusFolder } } = situation;
    const paths = (await ruleFilesOf(situation)).map(({ path }) => ({ path, isOurs: true }));
    const dump = await newestDump(statusFolder).catch(() => null);
    const problems: Problem[] = [];
    const seen: string[] = [];
    for (
      const { path, isOurs } of [
        ...paths,
        ...(dump === null ? [] : [{ path: dump, isOurs: false }]),
      ]
    ) {
      const remedy = `see it whole: azure-proxy-agent policy check ${shellWord(path)}`;
      const text = await machine.readText(path, LONGEST_RULES_BYTES + 1) ?? "";
      if (text.length > LONGEST_RULES_BYTES) {
        problems.push(warn(`${path} is too large to be tried here`, remedy));
        continue;
      }
      const { findings } = checkDocument(text, isOurs ? "local" : "dump", new FileExeInspector());
      const grave = findings.filter(({ severity }) => severity !== "note");
      for (const { severity, path: at, message } of grave.slice(0, MOST_FINDINGS)) {
        const found = `${path} ${at}: ${message}`;
        problems.push(severity === "error" ? fail(found, remedy) : warn(found, remedy));
      }
      if (grave.length > MOST_FINDINGS) {
        problems.push(warn(`${path}: ${grave.length - MOST_FINDINGS} more`, remedy));
      }
      seen.push(path);
    }
    return judge(
      problems,
      seen.length === 0
        ? "there are no rules: the built-in ones hold"
        : `nothing wrong in ${seen.join(", ")}`,
    );
  },
};

/** The chain of the audit log, as `audit verify` looks at it. Source: ADR 0013. */
export const auditChain: Check = {
  name: "audit-chain",
  title: "chain of the audit log",
  limitMs: 1_500,
  async run({ machine, settings }) {
    const { logFolder, statusFolder } = settings;
    if (logFolder === null) {
      return fine("the configuration keeps no audit log (logFolder is empty)");
    }
    const current = `${logFolder}/${AUDIT_FILE_NAME}`;
    if (await machine.facts(current) === null) {
      return warn(
        `there is no audit log at ${current}`,
        START,
      );
    }
    let bytes = 0;
    for (const name of await machine.names(logFolder) ?? []) {
      if (!name.startsWith(AUDIT_FILE_NAME)) continue;
      bytes += (await machine.facts(`${logFolder}/${name}`))?.sizeBytes ?? 0;
    }
    const isWhole = bytes <= MOST_AUDIT_BYTES;
    const report = await verifyLog({
      log: isWhole ? { folder: logFolder } : { files: [current] },
      statusFiles: isWhole ? [`${statusFolder}/status.json`] : [],
      witnesses: [],
      fromSeq: null,
    });
    const scope = isWhole ? "" : " of the current file; the older ones were left out";
    if (report.isIntact) return fine(`${report.records} records are intact${scope}`);
    const [first] = report.findings;
    return fail(
      `the chain is broken: ${first?.kind} in ${first?.file} line ${first?.line}, ` +
        `expected ${first?.expected}, found ${first?.found}`,
      `see all of it: ${
        ownCommand("audit verify", settings)
      }; keep a copy of the folder as evidence`,
    );
  },
};
