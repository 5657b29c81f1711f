import { type MissingPart, provisionErrorMessage } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";

/** Provisioning is given up after this, milliseconds. Source: wire-protocol 1.3. */
const PROVISION_TIMEOUT_MS = 120_000;

/** The three that have to be ready. */
export type ReadinessFlag = "redirector" | "keyLatch" | "listener";

/** Writes the two files that provisioning agents look for. */
export interface ProvisionTags {
  /** @param errorMessage `""` for success @throws AgentError FILE_WRITE */
  write(errorMessage: string): Promise<void>;
}

/** What readiness needs. */
export interface ReadinessOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tags: ProvisionTags;
  /** What the part behind a flag says about itself at this moment, for whoever asks why it is not ready. */
  readonly messageOf: (flag: ReadinessFlag) => string;
  /** Hears the result each time that provisioning ends, in the words of the serial console. Source: agent 6.4, 8.3. */
  readonly onResult?: (text: string) => void;
}

const FLAGS: readonly ReadinessFlag[] = ["redirector", "keyLatch", "listener"];
const PARTS: Readonly<Record<ReadinessFlag, MissingPart["part"]>> = Object.freeze({
  redirector: "ebpfProgramStatus",
  keyLatch: "keyLatchStatus",
  listener: "proxyListenerStatus",
});

/**
 * When provisioning is finished: all three flags are set, or the time is up. DEVIATION D-59: the time runs on a timer of its own, so that no
 * hanging call to the host can stop it. Source: wire-protocol 10.2, agent 6.
 */
export class Readiness implements Part {
  readonly name = "provision";
  readonly #options: ReadinessOptions;
  readonly #logger: Logger;
  readonly #flags = new Set<ReadinessFlag>();
  #finishedTick = 0n;
  #deadlineMs: number | null = null;
  #newTimer = new AbortController();
  #writing: Promise<void> = Promise.resolve();
  #pendingTags: string | null = null;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#logger = options.logger.child(this.name);
  }

  /** Unix nanoseconds at which provisioning last finished or timed out; 0 while it has not. */
  get finishedTick(): bigint {
    return this.#finishedTick;
  }

  /** The part is ready, or says so again. With all three set this renews the finished tick and the tag files. */
  set(flag: ReadinessFlag): void {
    this.#flags.add(flag);
    if (FLAGS.every((wanted) => this.#flags.has(wanted))) this.#finish();
  }

  /** The part is not ready any more: provisioning is open again, and its time starts anew. */
  clear(flag: ReadinessFlag): void {
    if (!this.#flags.delete(flag)) return;
    this.#finishedTick = 0n;
    this.#deadlineMs = this.#options.clock.monotonicMs() + PROVISION_TIMEOUT_MS;
    this.#newTimer.abort();
    this.#logger.info("provisioning is open again", { because: flag });
  }

  /** A line for each part that is not ready; `""` when all are. */
  errorMessage(): string {
    const missing = FLAGS.filter((flag) => !this.#flags.has(flag));
    return provisionErrorMessage(
      missing.map((flag) => ({ part: PARTS[flag], message: this.#options.messageOf(flag) })),
    );
  }

  /** Watches the time. Provisioning counts from the first run of this part. */
  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock } = this.#options;
    this.#deadlineMs ??= clock.monotonicMs() + PROVISION_TIMEOUT_MS;
    health.report("RUNNING", "PROVISION_WATCHING", "Provisioning is being watched.");
    while (!signal.aborted) {
      this.#newTimer = new AbortController();
      const leftMs = this.#deadlineMs - clock.monotonicMs();
      if (leftMs > 0) {
        await clock.sleep(leftMs, AbortSignal.any([signal, this.#newTimer.signal]));
      } else {
        if (this.#finishedTick === 0n) this.#timeOut();
        await untilAborted(AbortSignal.any([signal, this.#newTimer.signal]));
      }
    }
    await this.#writing;
    health.report("STOPPED", "PROVISION_STOPPED", "Provisioning is not watched any more.");
  }

  #finish(): void {
    const isFirst = this.#finishedTick === 0n;
    this.#finishedTick = this.#nowTick();
    if (isFirst) {
      this.#logger.info("provisioning finished");
      this.#options.onResult?.("Provision finished successfully");
    }
    this.#writeTags("");
  }

  #timeOut(): void {
    const text = this.errorMessage();
    this.#finishedTick = this.#nowTick();
    this.#logger.error("provisioning did not finish in time", {
      waitedMs: PROVISION_TIMEOUT_MS,
      missing: text.trimEnd(),
    });
    this.#options.onResult?.(text);
    this.#writeTags(text);
  }

  /** The last nanosecond of this millisecond, so that a question asked within it is not newer than its answer. */
  #nowTick(): bigint {
    return BigInt(Math.floor(this.#options.clock.wallMs()) + 1) * 1_000_000n - 1n;
  }

  /** One write at a time, and at most one waiting: the newest. */
  #writeTags(errorMessage: string): void {
    const isIdle = this.#pendingTags === null;
    this.#pendingTags = errorMessage;
    if (isIdle) this.#writing = this.#writing.then(() => this.#writePending());
  }

  async #writePending(): Promise<void> {
    const errorMessage = this.#pendingTags ?? "";
    this.#pendingTags = null;
    try {
      await this.#options.tags.write(errorMessage);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#logger.error("tag files are not written", { code: error.code, cause: error.message });
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
