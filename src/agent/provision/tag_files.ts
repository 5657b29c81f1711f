import { Buffer } from "node:buffer";
import { escapeXml } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import { describeFileError, removeIfThere, replaceFile } from "../../runtime/files.ts";
import type { ProvisionTags } from "./readiness.ts";

const MODE = 0o600;
const PROVISIONED = "provisioned.tag";
const STATUS = "status.tag";

/**
 * The files by which provisioning agents learn that this one is done: `provisioned.tag` exists, `status.tag` says with what
 * result, empty for success. Both are replaced whole. Source: wire-protocol 10.2, agent 4.5.
 */
export class TagFiles implements ProvisionTags {
  readonly #folder: string;
  readonly #clock: Clock;

  /** @param folder the key folder */
  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** @throws AgentError FILE_WRITE */
  async write(errorMessage: string): Promise<void> {
    const time = new Date(this.#clock.wallMs()).toISOString().slice(0, 23);
    await this.#replace(PROVISIONED, time);
    await this.#replace(STATUS, escapeXml(errorMessage));
  }

  /** @throws AgentError FILE_WRITE */
  async remove(): Promise<void> {
    for (const name of [PROVISIONED, STATUS]) {
      const path = `${this.#folder}/${name}`;
      try {
        await removeIfThere(path);
      } catch (cause) {
        throw fileError("remove", path, cause);
      }
    }
  }

  async #replace(name: string, text: string): Promise<void> {
    const path = `${this.#folder}/${name}`;
    try {
      await replaceFile(path, `${path}.tmp`, Uint8Array.from(Buffer.from(text)), MODE);
    } catch (cause) {
      throw fileError("write", path, cause);
    }
  }
}

function fileError(act: string, path: string, cause: unknown): AgentError {
  return new AgentError("FILE_WRITE", `${act} \`${path}\`: ${describeFileError(cause)}`, { cause });
}
