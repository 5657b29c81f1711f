import { AgentError } from "../../runtime/errors.ts";
import type { Backoff } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import { Pulse } from "../../runtime/pulse.ts";
import type { Redirector, TargetModes } from "./redirector.ts";

/** How often the kernel hears that the agent lives, and how often a foreign detachment is looked for. */
const BEAT_EVERY_MS = 1_000;
/** A turn is a look at the programs, or an attempt to attach with the wait after it. */
const LONGEST_TURN_MS = 60_000;
/** How often what other network namespaces dialled is logged. */
const INSPECT_EVERY_S = 60;

/** Where the wanted targets are published; `null` while nobody decided. */
export interface TargetSource {
  get(): { readonly targets: TargetModes | null };
  subscribe(
    subscriber: (value: { readonly targets: TargetModes | null }) => void,
    signal: AbortSignal,
  ): void;
}

export interface ReconcilerOptions {
  readonly redirector: Redirector;
  readonly snapshot: TargetSource;
  readonly clock: Clock;
  readonly backoff: Backoff;
  readonly logger: Logger;
  /**
   * Whether callers would be served: without a listener the heart must not beat, so that audit targets are let through, and
   * nobody is sent to a port that was not ours yet.
   */
  readonly serving: () => boolean;
  /** Whether the end of the loop is an orderly stop: then everything is taken off the kernel. Else the programs stay, and keep refusing. */
  readonly stopping: () => boolean;
}

/**
 * Keeps the redirector in the wanted state for the life of the process: attaches, with capped back-off as often as it
 * takes, sets the targets of each new snapshot, beats, and attaches again when somebody took a program off.
 */
export class Reconciler implements Part {
  readonly name = "redirector";
  readonly pulse: Pulse;
  readonly #tried = Promise.withResolvers<void>();
  readonly #options: ReconcilerOptions;
  /** Whether the listener had its port once. From then on the kernel programs keep it for us. */
  #portWasOurs = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.pulse = new Pulse(options.clock);
  }

  /** Resolves once the programs are attached, or the first attempt failed. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  /** To be called when the listener begins to serve: what is wanted may take effect now. */
  listening(): void {
    this.#setTargets(this.#options.snapshot.get().targets);
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock, snapshot, redirector } = this.#options;
    const startedAtMs = clock.monotonicMs();
    health.report("UNKNOWN", "redirector-starting", "eBPF redirector is starting");
    snapshot.subscribe(({ targets }) => this.#setTargets(targets), signal);
    this.#setTargets(snapshot.get().targets);
    let lost = 0;
    let lostNote = "";
    // Loading the programs holds everything up: what starts in the same turn, the listener above all, comes before.
    await Promise.resolve();
    while (!signal.aborted) {
      if (!await this.#attach(signal, health)) continue;
      if (signal.aborted) break;
      const elapsedMs = Math.round(clock.monotonicMs() - startedAtMs);
      health.report(
        "RUNNING",
        "redirector-attached",
        `Started Redirector with eBPF maps - ${elapsedMs}${variantNote(redirector)}${lostNote}`,
      );
      await this.#watch(signal);
      if (signal.aborted) break;
      health.report("STOPPED", "redirector-detached", "somebody detached the eBPF programs");
      this.#options.logger.warn("the eBPF programs were detached, attaching again");
      // Attaching again takes milliseconds, and nobody would ever see that somebody takes them off time and again.
      const lostAt = new Date(clock.wallMs()).toISOString();
      lostNote = ` (taken off by somebody and attached again: ${++lost}, last at ${lostAt})`;
    }
    this.pulse.rest();
    if (this.#options.stopping()) await redirector.detach();
    health.report("STOPPED", "redirector-stopped", "eBPF redirector is stopped");
  }

  async #attach(signal: AbortSignal, health: HealthReporter): Promise<boolean> {
    const { redirector, backoff, clock, logger } = this.#options;
    this.pulse.beat(LONGEST_TURN_MS);
    try {
      await redirector.attach(signal);
      this.#tried.resolve();
      backoff.reset();
      return true;
    } catch (error) {
      const code = error instanceof AgentError ? error.code : "BPF_ATTACH";
      const message = error instanceof Error ? error.message : String(error);
      health.report("STOPPED", code, `Failed to start redirector: ${message}`);
      this.#tried.resolve();
      const waitMs = backoff.next();
      logger.error("redirector not attached", {
        code,
        error: message,
        nextTryMs: Math.round(waitMs),
        ...(error instanceof AgentError ? error.detail : {}),
      });
      await clock.sleep(waitMs, signal);
      return false;
    }
  }

  /** Beats until a program is missing or the agent stops. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, redirector, serving } = this.#options;
    for (let second = 0; !signal.aborted && redirector.intact(); second++) {
      this.pulse.beat(LONGEST_TURN_MS);
      if (serving()) redirector.beat();
      if (second % INSPECT_EVERY_S === 0) redirector.inspect();
      await clock.sleep(BEAT_EVERY_MS, signal);
    }
  }

  #setTargets(targets: TargetModes | null): void {
    if (targets === null) return;
    this.#portWasOurs ||= this.#options.serving();
    // INVARIANT: no caller is sent to a port that somebody else may hold: he would be handed their requests.
    if (!this.#portWasOurs && Object.keys(targets).length > 0) return;
    try {
      this.#options.redirector.setTargets(targets);
    } catch (error) {
      // The next look at the programs finds what is wrong; attaching writes the targets again.
      this.#options.logger.error("redirect targets not written", { error: String(error) });
    }
  }
}

function variantNote(redirector: Redirector): string {
  return redirector.inspect().variant === "no-task-reads" ? " (without task reads)" : "";
}
