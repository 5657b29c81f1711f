import type { RunOptions } from "../../tools/sandbox/mod.ts";
import type { Talker } from "../kernel/machine.ts";
import type { Answer } from "./answer.ts";
import type { Scene } from "./scene.ts";

/** See raw_client.py. */
export type RawStep =
  | { readonly send: string }
  | { readonly sendEvery: string; readonly times: number; readonly pauseMs: number }
  | { readonly pauseMs: number }
  | { readonly fin: true }
  | { readonly reset: true }
  | { readonly read: number; readonly heads?: boolean }
  | { readonly readAll: true };

/** How a conversation went. */
export interface RawResult {
  /** Name of the error with which connecting failed. */
  readonly connectError: string | null;
  readonly local: readonly [address: string, port: number];
  readonly peer: readonly [address: string, port: number];
  readonly pid: number;
  readonly answers: readonly Answer[];
  /** Bytes that belong to no whole answer. */
  readonly rest: string;
  /** `closed`, the name of an error, or `null` when the connection was still open. */
  readonly end: string | null;
  /** When that was noticed, milliseconds since the start. */
  readonly endMs: number | null;
  readonly sendError: string | null;
}

/** A process that speaks bytes over sockets of its own, as one user. */
export class RawClient {
  private constructor(readonly talker: Talker) {}

  static async start(scene: Scene, options: RunOptions = {}): Promise<RawClient> {
    return new RawClient(await scene.python("raw_client.py", [], options));
  }

  /** Plays one conversation. */
  async talk(
    to: readonly [string, number],
    steps: readonly RawStep[],
    limitMs = 10_000,
  ): Promise<RawResult> {
    await this.talker.hears(JSON.stringify({ to, steps, limitMs }));
    return await this.talker.says<RawResult>();
  }

  /** Sends text and reads that many answers. */
  async ask(to: readonly [string, number], text: string, answers = 1): Promise<RawResult> {
    return await this.talk(to, [{ send: text }, { read: answers }]);
  }

  async end(): Promise<void> {
    await this.talker.ended();
  }
}

/** The text of a request; a `host` field and the empty line are added. */
export function request(
  method: string,
  target: string,
  fields: readonly string[] = [],
  body = "",
  host = "169.254.169.254",
): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields].join("\r\n") +
    `\r\n\r\n${body}`;
}
