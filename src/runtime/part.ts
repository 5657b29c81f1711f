/** The state of one part of the program, in the words of the status document. */
export type HealthState = "UNKNOWN" | "RUNNING" | "STOPPED";

/** How a part reports its health. `code` is stable and searchable, `message` is for people. */
export interface HealthReporter {
  report(state: HealthState, code: string, message: string): void;
}

/**
 * A loop of the program. It owns nothing global, returns when `signal` fires, and throws when it cannot go on;
 * the supervisor then starts it again with capped back-off, for ever.
 */
export interface Part {
  readonly name: string;
  run(signal: AbortSignal, health: HealthReporter): Promise<void>;
}
