import { request } from "node:http";
import type { JournalLine } from "../../src/simulator/journal.ts";

const CALL_LIMIT_MS = 10_000;

/** Talks to a running simulator over the Unix socket of its control interface. */
export class SimulatorControl {
  constructor(readonly socketPath: string) {}

  /** Calls the control interface; the decoded answer. @throws Error on any status but 2xx */
  call(method: string, path: string, document?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = request({
        socketPath: this.socketPath,
        method,
        path,
        timeout: CALL_LIMIT_MS,
        headers: { "content-type": "application/json" },
      }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => text += part);
        answer.on("error", reject);
        answer.on("end", () => {
          if ((answer.statusCode ?? 0) / 100 >= 3) {
            reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
          } else resolve(JSON.parse(text));
        });
      });
      call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer`)));
      call.on("error", reject);
      call.end(document === undefined ? undefined : JSON.stringify(document));
    });
  }

  /** Waits until the simulator answers. @throws Error after 15 s */
  async ready(): Promise<void> {
    for (let attempt = 0;; attempt++) {
      try {
        await this.call("GET", "/state");
        return;
      } catch (error) {
        if (attempt === 150) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** Everything that came from the proxied side since the entry `since`: the agent's own polls are left out. */
  async requestsSince(since: number): Promise<JournalLine[]> {
    const lines: JournalLine[] = [];
    for (let at = since;;) {
      const page = await this.call("GET", `/journal?since=${at}`) as {
        nextSince: number;
        entries: JournalLine[];
      };
      if (page.entries.length === 0) break;
      lines.push(...page.entries);
      at = page.nextSince;
    }
    return lines.filter((line) => !line.target.startsWith("/secure-channel/"));
  }

  /** Sequence number of the newest journal entry. */
  async lastEntry(): Promise<number> {
    const state = await this.call("GET", "/state") as { journal: { nextSeq: number } };
    return state.journal.nextSeq - 1;
  }

  /** Makes the host latch a new key; its guid. */
  async rotateKey(): Promise<string> {
    const { keyGuid } = await this.call("POST", "/rotate-key") as { keyGuid: string };
    return keyGuid;
  }
}
