import { Backoff, DEFAULT_BACKOFF } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import { prepareSocketPlace } from "./socket_place.ts";
import type { Sources } from "./sources.ts";

/** Every bound of the socket's side. */
export interface ControlLimits {
  /** Questions that are answered at the same time, streams left out. */
  readonly questions: number;
  /** Longest time until an answer begins. */
  readonly answerMs: number;
  /** Longest time that open answers are given at the stop. */
  readonly drainMs: number;
  /** How often it is looked whether the socket is still in its place. */
  readonly lookEveryMs: number;
}

export const CONTROL_LIMITS: ControlLimits = Object.freeze({
  questions: 16,
  answerMs: 10_000,
  drainMs: 500,
  lookEveryMs: 10_000,
});

export interface ControlServerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly path: string;
  readonly sources: Sources;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  readonly limits?: Partial<ControlLimits>;
  /** Whose the socket's folder has to be; root unless a test says otherwise. */
  readonly ownerUid?: number;
}

/** Only root may connect: the socket is 0600. */
const ALL_BUT_SOCKET_MODE = 0o177;

/**
 * Serves the control socket. What answers is loaded with the first question: an agent that nobody asks does not hold it in
 * memory. A place that cannot be used is told and tried again for ever; the agent itself does not depend on it.
 * DEVIATION D-150: others cannot be asked anything but the aggregate status.
 */
export class ControlServer implements Part {
  readonly name = "control";
  readonly #options: ControlServerOptions;
  readonly #limits: ControlLimits;
  #routes: Promise<{ fetch(request: Request): Response | Promise<Response> }> | null = null;
  #questions = 0;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#limits = { ...CONTROL_LIMITS, ...options.limits };
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock, logger, ownerUid, path, random } = this.#options;
    const backoff = new Backoff(DEFAULT_BACKOFF, random);
    const stop = () => this.#options.sources.feed.close();
    signal.addEventListener("abort", stop, { once: true });
    while (!signal.aborted) {
      try {
        await prepareSocketPlace(path, ownerUid);
        if (signal.aborted) break;
        await this.#serve(signal, health);
        backoff.reset();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const code = error instanceof AgentError ? error.code : "CONTROL_SOCKET";
        health.report("STOPPED", code, message);
        logger.warn("control socket is not served", { code, cause: message });
        await clock.sleep(backoff.next(), signal);
      }
    }
  }

  /** Serves until the signal fires or the socket is not in its place any more. */
  async #serve(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock, logger, path } = this.#options;
    const server = closedToOthers(() =>
      Deno.serve(
        { path, onListen: () => {}, onError: () => answer(500, "the question failed") },
        (request) => this.#answer(request),
      )
    );
    const inode = inodeOf(path);
    health.report("RUNNING", "CONTROL_SERVED", `serves ${path}`);
    while (!signal.aborted && inodeOf(path) === inode) {
      await clock.sleep(this.#limits.lookEveryMs, signal);
    }
    if (!signal.aborted) logger.warn("control socket is gone, making it anew", { path });
    const enough = new AbortController();
    await Promise.race([
      server.shutdown(),
      clock.sleep(this.#limits.drainMs, enough.signal),
    ]);
    enough.abort();
    if (signal.aborted && inodeOf(path) === inode) Deno.removeSync(path);
    health.report("STOPPED", "CONTROL_STOPPED", "The control socket is closed");
  }

  async #answer(request: Request): Promise<Response> {
    if (request.method !== "GET") {
      return answer(405, "everything here is asked with GET");
    }
    if (this.#questions >= this.#limits.questions) {
      return answer(503, "too many questions at the same time");
    }
    this.#questions++;
    const enough = new AbortController();
    try {
      const routed = this.#routed(request);
      const late = this.#options.clock.sleep(this.#limits.answerMs, enough.signal).then(() => {
        // What still comes is for nobody: a stream must not keep its place.
        if (!enough.signal.aborted) routed.then(({ body }) => body?.cancel()).catch(() => {});
        return answer(503, "the answer took too long");
      });
      return await Promise.race([routed, late]);
    } finally {
      this.#questions--;
      enough.abort();
    }
  }

  async #routed(request: Request): Promise<Response> {
    const { sources } = this.#options;
    this.#routes ??= import("./routes.ts").then(({ controlRoutes }) => controlRoutes(sources));
    return (await this.#routes).fetch(request);
  }
}

/**
 * What `make` makes is its owner's alone from the first moment: whoever connects before a mode is changed stays connected. The
 * mask is the process's, so `make` must not wait.
 */
function closedToOthers<T>(make: () => T): T {
  const before = Deno.umask(ALL_BUT_SOCKET_MODE);
  try {
    return make();
  } finally {
    Deno.umask(before);
  }
}

function inodeOf(path: string): number | null {
  try {
    const { ino, isSocket } = Deno.lstatSync(path);
    return isSocket === true ? ino : null;
  } catch {
    return null;
  }
}

function answer(status: number, error: string): Response {
  return Response.json({ error }, { status, headers: { "cache-control": "no-store" } });
}
