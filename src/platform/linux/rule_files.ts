import { createHash } from "node:crypto";
import type { RuleFiles, RuleFileText } from "../../agent/key_keeper/mod.ts";
import type { RuleFileState } from "../../domain/policy/mod.ts";
import type { EndpointName } from "../../domain/wire/mod.ts";
import { AgentError } from "../../runtime/errors.ts";
import { createPrivateFolder, describeFileError } from "../../runtime/files.ts";
import { isMissing, type OwnFile, readOwnFile } from "../../runtime/own_file.ts";

/** Names of the files. DEVIATION D-100: HostGAPlugin has one of its own. Source: authorization 4.1, W-09. */
const RULE_FILE_NAMES: Readonly<Record<EndpointName, string>> = Object.freeze({
  wireserver: "WireServer_Rules.json",
  imds: "IMDS_Rules.json",
  hostga: "HostGA_Rules.json",
});
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;
/** Group and others may read a rule file, and nothing else. */
const WRITABLE_BY_OTHERS = 0o022;
/** Source: authorization W-12. */
const MAX_FILE_BYTES = 1_048_576;

/** The folder of the rule files: `rules` beside the key folder, or in it where it has no parent. Source: authorization 4.1. */
export function rulesFolder(keyFolder: string): string {
  const parent = keyFolder.replace(/\/+[^/]*\/*$/, "");
  const hasParent = keyFolder.includes("/") && /[^/]/.test(keyFolder);
  return hasParent ? `${parent}/rules` : `${keyFolder.replace(/\/+$/, "")}/rules`;
}

/**
 * Rule files as files of a folder that only root can enter. Its owner and mode are looked at with each file, and the mode
 * is set right. A file is refused when it is a link, no plain file, somebody else's, writable by others or too large. Its
 * content is part of what is compared, since times have no more than milliseconds here.
 * DEVIATION D-101. Source: authorization 4.1 and W-12.
 */
export class LinuxRuleFiles implements RuleFiles {
  readonly #folder: string;
  readonly #ownerUid: number;

  constructor(folder: string, ownerUid: number = Deno.uid() ?? 0) {
    this.#folder = folder;
    this.#ownerUid = ownerUid;
  }

  async open(): Promise<void> {
    try {
      createPrivateFolder(this.#folder);
      await this.#secureFolder();
    } catch (cause) {
      throw rulesError("prepare the rules folder", this.#folder, cause);
    }
  }

  async look(endpoint: EndpointName): Promise<RuleFileState> {
    try {
      await this.#secureFolder();
    } catch (cause) {
      if (isMissing(cause)) return { kind: "missing" };
      return { kind: "error", cause: rulesError("look at", this.#folder, cause).message };
    }
    try {
      return { kind: "present", fingerprint: fingerprint(await this.#file(endpoint)) };
    } catch (cause) {
      if (isMissing(cause)) return { kind: "missing" };
      return { kind: "error", cause: rulesError("look at", this.#path(endpoint), cause).message };
    }
  }

  async read(endpoint: EndpointName): Promise<RuleFileText> {
    try {
      const file = await this.#file(endpoint);
      // Strict, as no other reading of the bytes may differ; the byte order mark is the parser's business.
      const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      return { text: decoder.decode(file.bytes), fingerprint: fingerprint(file) };
    } catch (cause) {
      throw rulesError("read the rule file", this.#path(endpoint), cause);
    }
  }

  /** @throws Error when the folder is missing, a link or somebody else's, or its mode cannot be set */
  async #secureFolder(): Promise<void> {
    const found = await Deno.lstat(this.#folder);
    if (!found.isDirectory) throw new Error("is no folder");
    if (found.uid !== this.#ownerUid) throw new Error(`belongs to user ${found.uid}`);
    if (((found.mode ?? OTHERS) & OTHERS) !== 0) await Deno.chmod(this.#folder, FOLDER_MODE);
  }

  #file(endpoint: EndpointName): Promise<OwnFile> {
    return readOwnFile(this.#path(endpoint), {
      ownerUid: this.#ownerUid,
      forbiddenMode: WRITABLE_BY_OTHERS,
      maxBytes: MAX_FILE_BYTES,
    });
  }

  #path(endpoint: EndpointName): string {
    return `${this.#folder}/${RULE_FILE_NAMES[endpoint]}`;
  }
}

function fingerprint(file: OwnFile): string {
  return `${file.stamp}:${createHash("sha256").update(file.bytes).digest("hex")}`;
}

function rulesError(what: string, path: string, cause: unknown): AgentError {
  return new AgentError("RULE_FILES", `${what} \`${path}\`: ${describeFileError(cause)}`, {
    cause,
  });
}
