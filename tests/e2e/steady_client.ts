import assert from "node:assert/strict";
import type { RunOptions } from "../../tools/sandbox/mod.ts";
import type { Talker } from "../kernel/machine.ts";
import type { Scene } from "./scene.ts";

/** See steady.py. */
export interface SteadyOptions {
  readonly to: readonly [address: string, port: number];
  readonly target: string;
  /** Requests a second. */
  readonly rate: number;
  /** Whether each request has a connection of its own. */
  readonly fresh: boolean;
  readonly limitMs?: number;
  /** Whether requests that are late are left out; else they follow at once. Default true. */
  readonly slots?: boolean;
}

/** What a steady client lived through. */
export interface SteadyReport {
  /** By status, error name or `closed`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Seconds since the epoch, outcome, and how many in a row. */
  readonly changes: readonly (readonly [atS: number, outcome: string, count: number])[];
  /** Of requests that got a status; `null` without any. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

/** A client that asks at a steady rate until it is told to end. */
export class SteadyClient {
  private constructor(readonly talker: Talker) {}

  /** Starts it and waits for its first outcome. */
  static async start(
    scene: Scene,
    options: SteadyOptions,
    run: RunOptions = {},
  ): Promise<SteadyClient> {
    const talker = await scene.python("steady.py", [JSON.stringify(options)], run);
    assert.equal(await talker.line(), "ready");
    return new SteadyClient(talker);
  }

  async end(): Promise<SteadyReport> {
    await this.talker.hears();
    const report = await this.talker.says<SteadyReport>();
    await this.talker.ended();
    return report;
  }
}

/** Milliseconds of each stretch without a 200: from its first outcome to the next 200. */
export function gapsMs(report: SteadyReport): number[] {
  const gaps: number[] = [];
  let since: number | null = null;
  for (const [atS, outcome] of report.changes) {
    if (outcome !== "200") since ??= atS;
    else if (since !== null) {
      gaps.push((atS - since) * 1000);
      since = null;
    }
  }
  return gaps;
}
