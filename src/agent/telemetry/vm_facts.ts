import type { LatchedKey } from "../../domain/endorsement/mod.ts";
import {
  type DecodedBody,
  type MachineFacts,
  readGoalState,
  readInstance,
  readSharedConfig,
  type VmFacts,
  type XmlElement,
} from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Result } from "../../runtime/result.ts";
import type { HostChannel } from "../host/mod.ts";

/** How old the facts may get while there is something to send. */
const FRESH_MS = 300_000;

/** Makes a tree of an XML document. */
export type XmlReader = (text: string) => Result<XmlElement, string>;

export interface VmFactsSourceOptions {
  readonly clock: Clock;
  readonly host: Pick<HostChannel, "goalState" | "sharedConfig" | "instance">;
  /** The key of the moment. */
  readonly key: () => LatchedKey | null;
  readonly machine: MachineFacts;
  /** Loads the reader when it is first needed. */
  readonly loadXmlReader: () => Promise<XmlReader>;
}

/**
 * What the host says of this machine. DEVIATION D-130: asked for again after five minutes, not for each upload. A failure
 * keeps what was known. Source: wire-protocol 7.
 */
export class VmFactsSource {
  readonly #options: VmFactsSourceOptions;
  #facts: VmFacts | null = null;
  #askedMs = -Infinity;

  constructor(options: VmFactsSourceOptions) {
    this.#options = options;
  }

  /** @throws AgentError of the host channel, or HOST_DOCUMENT, while nothing is known yet */
  async get(signal: AbortSignal): Promise<VmFacts> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#facts !== null && nowMs - this.#askedMs < FRESH_MS) return this.#facts;
    try {
      this.#facts = await this.#ask(signal);
      this.#askedMs = nowMs;
    } catch (error) {
      if (this.#facts === null || !(error instanceof AgentError)) throw error;
    }
    return this.#facts;
  }

  async #ask(signal: AbortSignal): Promise<VmFacts> {
    const { host, key, machine, loadXmlReader } = this.#options;
    const readXml = await loadXmlReader();
    const tree = (what: string, body: DecodedBody) => accepted(what, readXml(body.text));
    const goalState = accepted(
      GOAL_STATE,
      readGoalState(tree(GOAL_STATE, await host.goalState(key(), signal))),
    );
    const config = await host.sharedConfig(goalState.sharedConfigUrl, key(), signal);
    const shared = accepted(SHARED_CONFIG, readSharedConfig(tree(SHARED_CONFIG, config)));
    const instance = accepted(
      "the instance metadata",
      readInstance((await host.instance(key(), signal)).text),
    );
    return { containerId: goalState.containerId, shared, instance, machine };
  }
}

const GOAL_STATE = "the goal state";
const SHARED_CONFIG = "the shared configuration";

function accepted<T>(what: string, read: Result<T, string>): T {
  if (!read.ok) throw new AgentError("HOST_DOCUMENT", `read ${what}: ${read.error}`);
  return read.value;
}
