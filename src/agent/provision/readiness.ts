import { type MissingPart, provisionErrorMessage } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";

/** Provisioning is given up after this, milliseconds. Source: wire-protocol 1.3. */
const PROVISION_TIMEOUT_MS = 120_000;
/** Between two attempts at the tag files, milliseconds. */
const TAG_RETRY_MS = 5_000;

/** The three that have to be ready. */
export type ReadinessFlag = "redirector" | "keyLatch" | "listener";

/** Writes the two files that provisioning agents look for. */
export interface ProvisionTags {
  /** @param errorMessage `""` for success @throws AgentError FILE_WRITE */
  write(errorMessage: string): Promise<void>;
  /** Takes both away, where they are. @throws AgentError FILE_WRITE */
  remove(): Promise<void>;
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
  /** By the monotonic clock; `null` while unfinished. */
  #finishedMs: number | null = null;
  #deadlineMs: number | null = null;
  #newTimer = new AbortController();
  #stopping = new AbortController().signal;
  #bringing: Promise<void> | null = null;
  /** What the tag files are to say next: an error text, `""` for success, `null` for no files. */
  #wantedTags: { readonly errorMessage: string | null } | null = null;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#logger = options.logger.child(this.name);
  }

  /**
   * Unix nanoseconds at which provisioning last finished or timed out; 0 while it has not. DEVIATION D-180: by the clock as it
   * is now, so that it stays comparable with questions when somebody sets the clock. It is the last nanosecond of its
   * millisecond: a question asked within that one is not newer.
   */
  get finishedTick(): bigint {
    if (this.#finishedMs === null) return 0n;
    const { clock } = this.#options;
    const wallMs = Math.ceil(clock.wallMs() - (clock.monotonicMs() - this.#finishedMs));
    return BigInt(wallMs + 1) * 1_000_000n - 1n;
  }

  /** The part is ready, or says so again. With all three set this renews the finished tick and the tag files. */
  set(flag: ReadinessFlag): void {
    this.#flags.add(flag);
    if (FLAGS.every((wanted) => this.#flags.has(wanted))) this.#finish();
  }

  /** The part is not ready any more: provisioning is open again, and its time starts anew. */
  clear(flag: ReadinessFlag): void {
    if (!this.#flags.delete(flag)) return;
    this.#finishedMs = null;
    this.#bringTags(null);
    this.#deadlineMs = this.#options.clock.monotonicMs() + PROVISION_TIMEOUT_MS;
    this.#newTimer.abort();
    this.#logger.info("provisioning is open again", { because: flag });
  }

  /** The parts that are not ready, in the order of the contract, each with what it says about itself. */
  missing(): MissingPart[] {
    const missing = FLAGS.filter((flag) => !this.#flags.has(flag));
    return missing.map((flag) => ({ part: PARTS[flag], message: this.#options.messageOf(flag) }));
  }

  /** Watches the time. Provisioning counts from the first run of this part. */
  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock } = this.#options;
    this.#stopping = signal;
    // DEVIATION D-183: what an earlier start, or the machine that an image was taken of, left behind is not said of this one.
    if (this.#finishedMs === null) this.#bringTags(null);
    this.#deadlineMs ??= clock.monotonicMs() + PROVISION_TIMEOUT_MS;
    health.report("RUNNING", "PROVISION_WATCHING", "Provisioning is being watched.");
    while (!signal.aborted) {
      this.#newTimer = new AbortController();
      const leftMs = this.#deadlineMs - clock.monotonicMs();
      if (leftMs > 0) {
        await clock.sleep(leftMs, AbortSignal.any([signal, this.#newTimer.signal]));
      } else {
        if (this.#finishedMs === null) this.#timeOut();
        await untilAborted(AbortSignal.any([signal, this.#newTimer.signal]));
      }
    }
    await this.#bringing;
    health.report("STOPPED", "PROVISION_STOPPED", "Provisioning is not watched any more.");
  }

  #finish(): void {
    const isFirst = this.#finishedMs === null;
    this.#finishedMs = this.#options.clock.monotonicMs();
    if (isFirst) {
      this.#logger.info("provisioning finished");
      this.#options.onResult?.("Provision finished successfully");
    }
    this.#bringTags("");
  }

  #timeOut(): void {
    const text = provisionErrorMessage(this.missing());
    this.#finishedMs = this.#options.clock.monotonicMs();
    this.#logger.error("provisioning did not finish in time", {
      waitedMs: PROVISION_TIMEOUT_MS,
      missing: text.trimEnd(),
    });
    this.#options.onResult?.(text);
    this.#bringTags(text);
  }

  /** One change of the files at a time, and at most one waiting: the newest. */
  #bringTags(errorMessage: string | null): void {
    this.#wantedTags = { errorMessage };
    // In a turn of its own, so that what is said twice in this one is written once.
    this.#bringing ??= Promise.resolve().then(() => this.#bringWanted())
      .finally(() => this.#bringing = null);
  }

  /** Tries until the files say what they should: somebody may be waiting for them, on a disk that was full. */
  async #bringWanted(): Promise<void> {
    const { clock, tags } = this.#options;
    let isFailing = false;
    for (let wanted = this.#wantedTags; wanted !== null; wanted = this.#wantedTags) {
      try {
        await (wanted.errorMessage === null ? tags.remove() : tags.write(wanted.errorMessage));
        if (this.#wantedTags === wanted) this.#wantedTags = null;
        if (isFailing) this.#logger.info("tag files are written again");
        isFailing = false;
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        if (!isFailing) {
          const { code, message } = error;
          this.#logger.error("tag files are not written", { code, cause: message });
        }
        isFailing = true;
        if (this.#stopping.aborted) return;
        await clock.sleep(TAG_RETRY_MS, this.#stopping);
      }
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
