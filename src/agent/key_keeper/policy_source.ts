import {
  type EffectiveItem,
  type EffectiveRules,
  INITIAL_LOCAL_STATE,
  type LocalEvent,
  type LocalNotice,
  type LocalState,
  type RuleFileContent,
  ruleSetFaultSteps,
  stepLocal,
} from "../../domain/policy/mod.ts";
import {
  type AuthorizationItem,
  type AuthorizationRules,
  type DocumentFault,
  type EndpointName,
  type LocalRules,
  parseLocalRulesSteps,
} from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Result } from "../../runtime/result.ts";
import type { Pace } from "../../runtime/slices.ts";
import type { RuleFiles } from "./rule_files.ts";

/** A file may be half written when it is first read. Source: authorization 4.5. */
const ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 50;

/** Names of the endpoints in log lines. */
const OPERATIONS: Readonly<Record<EndpointName, string>> = Object.freeze({
  wireserver: "WireServer",
  imds: "IMDS",
  hostga: "HostGAPlugin",
});

/** The rules that count now. */
export interface FollowedRules {
  readonly rules: EffectiveRules;
  /** Whether they may differ from the last ones. */
  readonly changed: boolean;
}

/**
 * Follows the host's rules and the administrator's files, and says what counts. The loop only performs; what a file or a
 * change means is decided by `domain/policy/local_state.ts`. Source: authorization 4.
 */
export class PolicySource {
  readonly #files: RuleFiles;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pace: Pace;
  readonly #states = new Map<EndpointName, LocalState>();

  constructor(files: RuleFiles, clock: Clock, logger: Logger, pace: Pace) {
    this.#files = files;
    this.#clock = clock;
    this.#logger = logger;
    this.#pace = pace;
  }

  /** Prepares the folder of the files. That it cannot be is told again by whoever wants a file. */
  async open(): Promise<void> {
    try {
      await this.#files.open();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#logger.error("rules folder is not usable", { code: error.code, cause: error.message });
    }
  }

  /** Takes the rules of an accepted status document. To be called for each, also when nothing changed: files may have. */
  async follow(rules: AuthorizationRules | null): Promise<FollowedRules> {
    const wireserver = await this.#followEndpoint("wireserver", rules?.wireserver ?? null);
    const imds = await this.#followEndpoint("imds", rules?.imds ?? null);
    const hostga = await this.#followEndpoint("hostga", rules?.wireserver ?? null);
    return {
      rules: {
        wireserver: wireserver.effective,
        imds: imds.effective,
        // Without a file of its own HostGAPlugin follows WireServer, local rules and all.
        hostga: hostga.effective?.origin === "host" ? wireserver.effective : hostga.effective,
      },
      changed: wireserver.changed || imds.changed || hostga.changed,
    };
  }

  async #followEndpoint(
    endpoint: EndpointName,
    item: AuthorizationItem | null,
  ): Promise<{ readonly effective: EffectiveItem | null; readonly changed: boolean }> {
    let state = this.#states.get(endpoint) ?? INITIAL_LOCAL_STATE;
    let event: LocalEvent | null = { kind: "polled", item, hasChanged: item !== state.item };
    let changed = false;
    while (event !== null) {
      const stepped = stepLocal(state, event, changed);
      state = stepped.next;
      changed = stepped.changed;
      for (const notice of stepped.notices) this.#tell(endpoint, notice);
      event = await this.#perform(endpoint, stepped.effect);
    }
    this.#states.set(endpoint, state);
    return { effective: state.effective, changed };
  }

  async #perform(endpoint: EndpointName, effect: "look" | "read" | null) {
    if (effect === "look") {
      return { kind: "looked", file: await this.#files.look(endpoint) } as const;
    }
    if (effect === null) return null;
    return { kind: "read", content: await this.#read(endpoint) } as const;
  }

  async #read(endpoint: EndpointName): Promise<RuleFileContent> {
    let cause = "";
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      if (attempt > 1) await this.#clock.sleep(BETWEEN_ATTEMPTS_MS);
      try {
        const { text, fingerprint } = await this.#files.read(endpoint);
        const parsed = await this.#pace(validatedSteps(text));
        if (parsed.ok) return { kind: "rules", rules: parsed.value, fingerprint };
        cause = parsed.error.message;
        // What is well-formed and wrong does not get right by waiting.
        if (!isHalfWritten(parsed.error)) break;
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        cause = error.message;
      }
    }
    return { kind: "refused", cause };
  }

  #tell(endpoint: EndpointName, { level, task, message }: LocalNotice): void {
    this.#logger[level](task, { operation: OPERATIONS[endpoint], message });
  }
}

function* validatedSteps(text: string): Generator<void, Result<LocalRules, DocumentFault>> {
  const parsed = yield* parseLocalRulesSteps(text);
  if (!parsed.ok) return parsed;
  const fault = yield* ruleSetFaultSteps(parsed.value.rules);
  return fault === null ? parsed : { ok: false, error: fault };
}

function isHalfWritten(fault: DocumentFault): boolean {
  return fault.code !== "MEMBER_VALUE";
}
