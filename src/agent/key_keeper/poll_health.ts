import type { Clock } from "../../runtime/clock.ts";
import type { HealthReporter, HealthState } from "../../runtime/part.ts";

/** DEVIATION D-58: RUNNING needs a success within this many poll intervals. Source: agent 13 item 4. */
const FRESH_INTERVALS = 3;

/** What the status says, for machines and for people. */
interface Word {
  readonly code: string;
  readonly message: string;
}

/** Whether polls succeed, in the words of the status document: RUNNING is earned anew every three intervals. */
export class PollHealth {
  readonly #clock: Clock;
  #intervalMs: number;
  #sleep = new AbortController();
  readonly #reporter: HealthReporter;
  #succeededMs: number | null = null;
  #failedSince = false;
  #good = { code: "KEY_LATCH_STARTED", message: "poll secure channel status task started." };
  #bad = this.#good;
  #objection: Word | null = null;
  #unheard: Word | null = null;
  #reported = "";

  constructor(clock: Clock, intervalMs: number, reporter: HealthReporter) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#reporter = reporter;
  }

  /** Changes the time between polls. */
  setInterval(intervalMs: number): void {
    this.#intervalMs = intervalMs;
    this.#sleep.abort();
  }

  started(): void {
    this.#report();
  }

  /** Something good happened that the next success will tell. The time since the start is added to the message. */
  news(code: string, message: string): void {
    this.#good = { code, message: `${message} - ${Math.round(this.#clock.monotonicMs())}` };
  }

  /** The host did not answer a poll, or not with a document: that is told whatever else is wrong, until it is heard again. */
  unheard(code: string, message: string): void {
    this.#unheard = { code, message };
    this.failed(code, message);
  }

  /** The host answered a poll with a document. */
  heard(): void {
    this.#unheard = null;
  }

  /** A poll did all it had to do. */
  succeeded(): void {
    this.#succeededMs = this.#clock.monotonicMs();
    this.#failedSince = false;
    this.#report();
  }

  /** A poll failed, or a step on the way to a key. */
  failed(code: string, message: string): void {
    this.#failedSince = true;
    this.#bad = { code, message };
    this.#report();
  }

  /** What the host or the administrator wants cannot be done: told, as STOPPED, until `null` takes it back. */
  objected(objection: Word | null): void {
    this.#objection = objection;
    this.#report();
  }

  stopped(): void {
    const message = "poll_secure_channel_status task cancelled.";
    this.#reporter.report("STOPPED", "KEY_LATCH_STOPPED", message);
  }

  /** Looks once an interval whether the last success is still fresh, because a poll that hangs reports nothing. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#sleep = new AbortController();
      await this.#clock.sleep(this.#intervalMs, AbortSignal.any([signal, this.#sleep.signal]));
      if (!signal.aborted) this.#report();
    }
  }

  #state(): HealthState {
    if (this.#objection !== null) return "STOPPED";
    if (this.#succeededMs === null) return "UNKNOWN";
    const ageMs = this.#clock.monotonicMs() - this.#succeededMs;
    return ageMs <= FRESH_INTERVALS * this.#intervalMs ? "RUNNING" : "STOPPED";
  }

  /** A poll that is under way has nothing to say yet, but the last success has no say any more. */
  #word(state: HealthState): Word {
    if (this.#unheard !== null) return this.#unheard;
    if (this.#objection !== null) return this.#objection;
    if (this.#failedSince) return this.#bad;
    if (state !== "STOPPED") return this.#good;
    const seconds = FRESH_INTERVALS * this.#intervalMs / 1000;
    return { code: "HOST_SILENT", message: `No poll has succeeded for ${seconds} s` };
  }

  #report(): void {
    const state = this.#state();
    const { code, message } = this.#word(state);
    const report = `${state} ${code} ${message}`;
    if (report === this.#reported) return;
    this.#reported = report;
    this.#reporter.report(state, code, message);
  }
}
