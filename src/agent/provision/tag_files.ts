import { Buffer } from "node:buffer";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import { describeFileError, replaceFile } from "../../runtime/files.ts";
import type { ProvisionTags } from "./readiness.ts";

const MODE = 0o600;

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
    await this.#replace("provisioned.tag", time);
    await this.#replace("status.tag", xmlEscaped(errorMessage));
  }

  async #replace(name: string, text: string): Promise<void> {
    const path = `${this.#folder}/${name}`;
    try {
      await replaceFile(path, `${path}.tmp`, Uint8Array.from(Buffer.from(text)), MODE);
    } catch (cause) {
      throw new AgentError("FILE_WRITE", `write \`${path}\`: ${describeFileError(cause)}`, {
        cause,
      });
    }
  }
}

/** Source: agent 6.4, order included. */
function xmlEscaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("'", "&apos;")
    .replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
