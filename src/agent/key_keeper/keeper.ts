import {
  type EffectiveRules,
  type EndpointPolicy,
  initialPolicy,
  type Matching,
  type PolicyFinding,
  type PolicySnapshot,
  policySnapshot,
  policySteps,
} from "../../domain/policy/mod.ts";
import {
  AUTHORIZATION_SCHEME,
  CHANNEL_DISABLED,
  CHANNEL_UNKNOWN,
  channelState,
  cutToBytes,
  ENDPOINT_NAMES,
  isLatchedState,
  type KeyLatchFacts,
  type KeyStatus,
  ruleIds,
  summaryText,
} from "../../domain/wire/mod.ts";
import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import { Pulse } from "../../runtime/pulse.ts";
import { type Pace, unpaced } from "../../runtime/slices.ts";
import type { HostChannel } from "../host/mod.ts";
import type { TargetModes } from "../redirector/mod.ts";
import type { Epochs } from "./epochs.ts";
import type { KeyStore } from "./key_store.ts";
import {
  type HeldKey,
  heldKey,
  type Latch,
  type LatchStepped,
  step,
  UNKNOWN_LATCH,
} from "./latch.ts";
import { LatchWorker } from "./latch_worker.ts";
import { PolicyMemory, type PolicyStore } from "./policy_memory.ts";
import { PollHealth } from "./poll_health.ts";
import { PolicySource } from "./policy_source.ts";
import { PollTimer } from "./poll_timer.ts";
import type { RuleFiles } from "./rule_files.ts";
import type { AgentSnapshot } from "./snapshot.ts";

/** What the key keeper needs. */
export interface KeyKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly host: HostChannel;
  readonly store: KeyStore;
  /** Numbers policies; its first number is the one of the policy in `snapshot`. */
  readonly epochs: Pick<Epochs, "next" | "found">;
  /** Keeps the policy for the next start. */
  readonly policyStore: PolicyStore;
  readonly ruleFiles: RuleFiles;
  /** How the two matchers count at first. */
  readonly matching: Matching;
  /** How long pieces of work may hold up everything else; at once by default. */
  readonly pace?: Pace;
  /** The keeper is its only writer. */
  readonly snapshot: Cell<AgentSnapshot>;
  /** Time between polls at first, milliseconds. */
  readonly pollIntervalMs: number;
  /**
   * Told whenever the key question is settled (a key is held, or the host wants none) for the first time, after a change,
   * and after a poll that was asked for; and with `false` when it is open again. Source: wire-protocol 4.1.
   */
  readonly onKeyReady: (isReady: boolean) => void;
}

/**
 * Polls the host, holds the key it wants, and publishes what follows for everybody else. The loop only performs; what is to
 * be done about keys is decided by `latch.ts`, what a document means by `domain/policy`.
 */
export class KeyKeeper implements Part {
  readonly name = "key_keeper";
  readonly pulse: Pulse;
  readonly #recalled = Promise.withResolvers<void>();
  readonly #options: KeyKeeperOptions;
  readonly #logger: Logger;
  readonly #worker: LatchWorker;
  readonly #timer: PollTimer;
  #latch: Latch = UNKNOWN_LATCH;
  #status: KeyStatus | null = null;
  #channel: string = CHANNEL_UNKNOWN;
  #summary = "";
  #isReady = false;
  /** False while the host names another key than the one that is held, or none. */
  #isNamed = true;
  #lastPollWallMs: number | null = null;
  readonly #pollResults = new Map<string, number>();
  readonly #source: PolicySource;
  readonly #pace: Pace;
  readonly #memory: PolicyMemory;
  /** When the policy in use was kept by an earlier process, wall milliseconds; `null` once the host was heard. */
  #recalledMs: number | null = null;
  #matching: Matching;
  #pollIntervalMs: number;
  #health: PollHealth | null = null;
  /** The document whose policy was built last, whatever came of it. */
  #built: KeyStatus | null = null;
  #installed: EffectiveRules | null = null;
  #failedInstall: FailedInstall | null = null;
  /** Why that policy was not taken; `null` when it was. */
  #refusal: string | null = null;
  /** Whether the host's policy or document is refused at this moment. */
  #isRefusing = false;
  #isDoubted = false;

  constructor(options: KeyKeeperOptions) {
    this.#options = options;
    this.#logger = options.logger.child(this.name);
    const { host, store, clock, ruleFiles } = options;
    this.#pace = options.pace ?? unpaced;
    this.#matching = options.matching;
    this.#pollIntervalMs = options.pollIntervalMs;
    this.#source = new PolicySource(ruleFiles, clock, this.#logger, this.#pace);
    const worker = new LatchWorker(host, store, clock, this.#logger);
    this.#worker = worker;
    this.#memory = new PolicyMemory({
      store: options.policyStore,
      clock,
      logger: this.#logger,
      pace: this.#pace,
      attestedKey: (guid) => worker.attestedKey(guid),
    });
    this.#timer = new PollTimer(clock, options.pollIntervalMs);
    this.pulse = new Pulse(clock);
  }

  /** Asks for a poll now rather than at its time. At most one such wish waits, and one a second is granted. */
  notify(): void {
    this.#timer.wake();
  }

  /** Changes how the two matchers count. The policy that follows is built, tested and installed by the next poll. */
  setMatching(matching: Matching): void {
    if (matching === this.#matching) return;
    this.#matching = matching;
    this.#built = null;
  }

  /** Changes the time between polls, milliseconds; also of the wait that is under way. */
  setPollInterval(intervalMs: number): void {
    this.#pollIntervalMs = intervalMs;
    this.#beat();
    this.#timer.setInterval(intervalMs);
    this.#health?.setInterval(intervalMs);
  }

  /** The host answered a signed request as one whose signature is wrong: the next poll looks whether the key is to blame. */
  signatureRefused(): void {
    this.#isDoubted = true;
  }

  /** Whether the host wants a key to be held: neither disabled nor not heard yet. */
  isLatchedState(): boolean {
    return isLatchedState(this.#channel);
  }

  /** Resolves once what was kept is in force, or nothing is. */
  get recalled(): Promise<void> {
    return this.#recalled.promise;
  }

  /** Polls since the start, by outcome: `ok`, or the code of what went wrong. A code is one of a closed list. */
  get pollResults(): ReadonlyMap<string, number> {
    return this.#pollResults;
  }

  /** When the host last answered, wall milliseconds; `null` before that. */
  get lastPollWallMs(): number | null {
    return this.#lastPollWallMs;
  }

  /** Facts for the status document. */
  facts(): KeyLatchFacts {
    // One that was kept for the time before the host is heard is held, too.
    const { key } = this.#options.snapshot.get();
    const ids = this.#status === null ? { wireserver: "", imds: "" } : ruleIds(this.#status);
    const facts = {
      secureChannelState: this.#channel,
      keyGuid: key?.guid ?? null,
      keyIncarnationId: key?.incarnationId ?? null,
      wireServerRuleId: ids.wireserver,
      imdsRuleId: ids.imds,
    };
    return { ...facts, extra: this.#extraFacts() };
  }

  /** Members of the status document that others do not have. Source: authorization 9.4. */
  #extraFacts(): Readonly<Record<string, string>> {
    const { epoch } = this.#options.snapshot.get().policy;
    const failed = this.#failedInstall;
    return {
      ...(this.#lastPollWallMs === null
        ? {}
        : { lastPollTime: new Date(this.#lastPollWallMs).toISOString() }),
      activePolicyEpoch: String(epoch),
      ...(this.#recalledMs === null
        ? {}
        : { policyKeptAt: new Date(this.#recalledMs).toISOString() }),
      ...(failed === null ? {} : {
        lastFailedInstallAt: new Date(failed.wallMs).toISOString(),
        lastFailedInstallReason: failed.reason,
      }),
    };
  }

  /** The rules of the installed policy, local ones included; `null` before the first. */
  rules(): EffectiveRules | null {
    return this.#installed;
  }

  async run(signal: AbortSignal, reporter: HealthReporter): Promise<void> {
    const { clock } = this.#options;
    const health = new PollHealth(clock, this.#pollIntervalMs, reporter);
    this.#health = health;
    health.started();
    const watching = health.watch(signal);
    this.#beat();
    await this.#openStore();
    await this.#source.open();
    await this.#recall();
    this.#recalled.resolve();
    let wanted = false;
    while (!signal.aborted) {
      this.#beat();
      const polledMs = this.#options.clock.monotonicMs();
      // A wish that a failed poll could not fulfil goes over to the next one.
      wanted = !await this.#poll(health, signal, wanted) && wanted;
      wanted = await this.#waitForNext(signal, polledMs) || wanted;
    }
    this.pulse.rest();
    await watching;
    health.stopped();
  }

  /** A turn is a poll and the wait for the next one. */
  #beat(): void {
    this.pulse.beat(this.#pollIntervalMs + LONGEST_POLL_MS);
  }

  /** The folder is also prepared before each key is stored, so that a failure here costs nothing but this line. */
  async #openStore(): Promise<void> {
    try {
      await this.#options.store.open();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#logger.error("key folder is not usable", { code: error.code, cause: error.message });
    }
  }

  /**
   * Takes up what the process before had installed, so that callers are redirected, decided and signed for before the host
   * was heard. Nobody is told that provisioning is finished, and the first status of the host replaces it whole.
   * DEVIATION D-141. Source: agent 12.2, 13 item 2.
   */
  async #recall(): Promise<void> {
    const { epochs, snapshot } = this.#options;
    // A loop that was started again has better than that.
    if (this.#status !== null || snapshot.get().key !== null) return;
    const kept = await this.#memory.recall(epochs.found);
    if (kept === null) return;
    const { status, key, keptMs } = kept;
    const { rules } = await this.#source.follow(status.authorizationRules);
    const built = await this.#pace(policySteps({ status, rules, matching: this.#matching }));
    if (!built.ok) {
      return this.#logger.warn("kept policy is not used", { cause: built.error.reason });
    }
    const policy = policySnapshot(built.value.content, await epochs.next());
    this.#installed = rules;
    this.#recalledMs = keptMs;
    const channel = channelState(status);
    snapshot.publish(Object.freeze({ channel, key, policy, targets: targetsOf(policy) }));
    this.#logger.info("kept policy is used until the host is heard", {
      guid: key.guid,
      keptAt: new Date(keptMs).toISOString(),
    });
    this.#logPolicy(policy, channel);
    await this.#memory.keep(status, key, policy.epoch);
  }

  /** Returns whether the next poll was asked for. */
  async #waitForNext(signal: AbortSignal, polledMs: number): Promise<boolean> {
    this.#timer.begin(this.#channel === CHANNEL_UNKNOWN, polledMs);
    while (await this.#timer.wait(signal) === "woken") {
      if (!this.isLatchedState()) return true;
      // In a settled state the question is answered without the host. Source: wire-protocol 4.1.
      if (this.#isReady) this.#options.onKeyReady(true);
    }
    return false;
  }

  /** Returns whether the poll did all it had to do. */
  async #poll(health: PollHealth, signal: AbortSignal, wanted: boolean): Promise<boolean> {
    const { host, clock } = this.#options;
    let status: KeyStatus;
    try {
      status = await host.keyStatus(signal);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (signal.aborted) return false;
      this.#countPoll(error.code);
      this.#logger.warn("key status is not to be had", { code: error.code, cause: error.message });
      // The host was heard, and what it says cannot be used.
      if (error.code === "HOST_DOCUMENT") {
        health.heard();
        this.#refuse(health, error.message, MESSAGES.unread);
      } else health.unheard(error.code, `Failed to get key status - ${error.message}`);
      return false;
    }
    health.heard();
    this.#countPoll("ok");
    this.#noteStatus(status);
    this.#lastPollWallMs = clock.wallMs();
    return await this.#follow(status, health, signal, wanted);
  }

  #countPoll(result: string): void {
    this.#pollResults.set(result, (this.#pollResults.get(result) ?? 0) + 1);
  }

  #noteStatus(status: KeyStatus): void {
    this.#status = status;
    const summary = summaryText(status);
    if (summary === this.#summary) return;
    this.#summary = summary;
    this.#logger.info("key status changed", { summary });
    if (status.authorizationScheme !== AUTHORIZATION_SCHEME) {
      const { authorizationScheme } = status;
      this.#logger.warn("authorization scheme is not the expected one", { authorizationScheme });
    }
    if (status.keyDeliveryMethod !== "http" && status.keyDeliveryMethod !== "vtpm") {
      const { keyDeliveryMethod } = status;
      this.#logger.warn("key delivery method is not an expected one", { keyDeliveryMethod });
    }
  }

  /** Does what a status document wants. Rules take effect before a key is fetched from the host, never before one from disk. */
  async #follow(
    status: KeyStatus,
    health: PollHealth,
    signal: AbortSignal,
    wanted: boolean,
  ): Promise<boolean> {
    const { clock } = this.#options;
    const channelBefore = this.#channel;
    const heldBefore = heldKey(this.#latch);
    const policy = await this.#policyOf(status, health);
    this.#recalledMs = null;
    this.#channel = channelState(status);
    let stepped = step(this.#latch, {
      kind: "status",
      wantsKey: isLatchedState(this.#channel),
      keyGuid: status.keyGuid,
      nowMs: clock.monotonicMs(),
    });
    if (this.#isDoubted && stepped.effect === null) {
      this.#isDoubted = false;
      stepped = step(stepped.next, { kind: "doubted", nowMs: clock.monotonicMs() });
    }
    while (true) {
      this.#latch = stepped.next;
      // INVARIANT: from the moment that a key is wanted and not held, nobody hears that provisioning is finished.
      if (!this.#isSettled() && this.#isReady) this.#setReady(false);
      const { effect } = stepped;
      if (effect?.kind !== "load") this.#publish(policy);
      if (effect === null) break;
      const outcome = await this.#worker.perform(effect, signal);
      if (outcome.failure !== null) {
        if (signal.aborted) return false;
        const { code, message } = outcome.failure;
        this.#logger.warn("key is not to be had", { code, cause: message });
        health.failed(code, message);
      }
      stepped = this.#step(outcome.event);
    }
    await this.#remember(status, policy);
    this.#settle(health, channelBefore, heldBefore, wanted);
    return this.#latch.state !== "latching";
  }

  /** Keeps what was installed for the next start. A refused policy is none, and one without a key is of no use then. */
  async #remember(status: KeyStatus, policy: PolicySnapshot): Promise<void> {
    if (this.#latch.state === "disabled") return await this.#memory.forget();
    if (this.#latch.state !== "latched" || this.#refusal !== null) return;
    await this.#memory.keep(status, this.#latch.held.key, policy.epoch);
  }

  /** The policy to publish: the one in use where nothing changed, or where the new one is not taken. */
  async #policyOf(status: KeyStatus, health: PollHealth): Promise<PolicySnapshot> {
    const { snapshot, epochs } = this.#options;
    const matching = this.#matching;
    const { rules, changed } = await this.#source.follow(status.authorizationRules);
    const current = snapshot.get().policy;
    if (!changed && this.#built === status) {
      // A document that could not be read may have come in between.
      if (this.#refusal === null) this.#noteTaken(health, current);
      else this.#refuse(health, this.#refusal, MESSAGES.refused);
      return current;
    }
    const built = await this.#pace(policySteps({ status, rules, matching }));
    this.#built = status;
    this.#refusal = built.ok ? null : built.error.reason;
    if (!built.ok) {
      // INVARIANT: what was kept never outlives the first word of the host: it could be laxer than what he wants now.
      const stays = this.#recalledMs === null
        ? current
        : policySnapshot(initialPolicy(matching), await epochs.next());
      this.#refuse(health, built.error.reason, MESSAGES.refused, stays.epoch);
      return stays;
    }
    const { content, warnings } = built.value;
    const isSame = content.digest === current.digest;
    const policy = isSame ? current : policySnapshot(content, await epochs.next());
    if (!isSame) this.#logFindings(warnings);
    this.#installed = rules;
    this.#noteTaken(health, policy);
    return policy;
  }

  /** The policy in use stays; operators are told why. */
  #refuse(
    health: PollHealth,
    cause: string,
    what: string,
    epoch = this.#options.snapshot.get().policy.epoch,
  ): void {
    const reason = cutToBytes(cause, MAX_REASON_BYTES);
    if (!this.#isRefusing || this.#failedInstall?.reason !== reason) {
      this.#failedInstall = { wallMs: this.#options.clock.wallMs(), reason };
      this.#logger.error("policy of the host is refused", { reason, keptEpoch: epoch });
    }
    this.#isRefusing = true;
    const message = `${what} - ${reason}. Policy ${epoch} stays.`;
    health.objected({ code: "POLICY_REFUSED", message });
  }

  /** An endpoint that is closed by its local rules is a mistake of somebody's, also where the mode only records. */
  #noteTaken(health: PollHealth, policy: PolicySnapshot): void {
    this.#isRefusing = false;
    for (const endpoint of ENDPOINT_NAMES) {
      const installed = policy.endpoints[endpoint];
      if (installed.kind !== "closed") continue;
      const message = `The local rules of ${endpoint} are refused: ${installed.reason}`;
      return health.objected({ code: "LOCAL_RULES_REFUSED", message });
    }
    health.objected(null);
  }

  #logFindings(findings: readonly PolicyFinding[]): void {
    for (const { endpoint, code, path, message } of findings.slice(0, MAX_LOGGED_FINDINGS)) {
      this.#logger.warn("rules are odd", { endpoint, code, path, message });
    }
    const more = findings.length - MAX_LOGGED_FINDINGS;
    if (more > 0) this.#logger.warn("rules are odd in more places", { more });
  }

  #step(event: Parameters<typeof step>[1]): LatchStepped {
    return step(this.#latch, event);
  }

  /** Tells health and provisioning how the poll ended. */
  #settle(
    health: PollHealth,
    channelBefore: string,
    heldBefore: HeldKey | null,
    wanted: boolean,
  ): void {
    const held = heldKey(this.#latch);
    const isNewKey = held !== null && held.key !== heldBefore?.key;
    const isNewlyDisabled = this.#latch.state === "disabled" && channelBefore !== CHANNEL_DISABLED;
    if (isNewKey) this.#logger.info("key latched", { guid: held.key.guid, from: held.from });
    if (held === null && heldBefore !== null) {
      this.#logger.info("key dropped", { guid: heldBefore.key.guid });
    }
    if (isNewKey && held.from === "disk") health.news("KEY_FROM_DISK", MESSAGES.fromDisk);
    if (isNewKey && held.from === "attested") health.news("KEY_ATTESTED", MESSAGES.attested);
    if (isNewlyDisabled) health.news("CHANNEL_DISABLED", MESSAGES.disabled);
    this.#noteNaming(health, held, isNewKey);
    if (this.#latch.state !== "latching") health.succeeded();

    if (!this.#isSettled()) return;
    if (isNewKey || isNewlyDisabled || wanted || !this.#isReady) this.#setReady(true);
  }

  /** Whether the key question is answered: one is held, or the host wants none. */
  #isSettled(): boolean {
    return heldKey(this.#latch) !== null || this.#latch.state === "disabled";
  }

  #setReady(isReady: boolean): void {
    this.#isReady = isReady;
    this.#options.onKeyReady(isReady);
  }

  /** A host that takes an attestation and then names no key, or another, deserves a word. Source: wire-protocol S-13. */
  #noteNaming(health: PollHealth, held: HeldKey | null, isNewKey: boolean): void {
    const isNamed = held === null || isNewKey || this.#status?.keyGuid === held.key.guid;
    if (isNamed === this.#isNamed) return;
    this.#isNamed = isNamed;
    if (isNamed) {
      if (held !== null && !isNewKey) health.news("KEY_ATTESTED", MESSAGES.attested);
      return;
    }
    this.#logger.warn("host does not name the key that it attested", {
      guid: held?.key.guid ?? "",
    });
    health.news("KEY_NOT_NAMED", "The host does not name the key that it attested.");
  }

  /** DEVIATION D-52, D-53: one assignment for all that changed, the key that everybody uses included; none when nothing did. */
  #publish(policy: PolicySnapshot): void {
    const { snapshot } = this.#options;
    const before = snapshot.get();
    const held = heldKey(this.#latch);
    // Callers are sent here only once they can be served: with a key, or with none wanted. Source: wire-protocol 4.5.
    const isServing = held !== null || this.#channel === CHANNEL_DISABLED;
    const next: AgentSnapshot = Object.freeze({
      channel: this.#channel,
      key: held?.key ?? null,
      policy,
      targets: isServing ? sameOr(before.targets, targetsOf(policy)) : before.targets,
    });
    if (
      next.channel === before.channel && next.key === before.key &&
      next.policy === before.policy && next.targets === before.targets
    ) return;
    snapshot.publish(next);
    if (policy !== before.policy) this.#logPolicy(policy, this.#channel);
  }

  #logPolicy(policy: PolicySnapshot, channel: string): void {
    const { epoch, digest, endpoints } = policy;
    this.#logger.info("policy installed", { epoch, digest, channel });
    for (const endpoint of ENDPOINT_NAMES) {
      const installed: EndpointPolicy = endpoints[endpoint];
      if (installed.kind === "closed") {
        const { mode, reason } = installed;
        this.#logger.warn("endpoint is closed by its policy", { endpoint, mode, reason });
      }
    }
  }
}

/** When and why the host's policy was last not taken. */
interface FailedInstall {
  readonly wallMs: number;
  readonly reason: string;
}

/** Calls of the host, files and the building of the largest policy, each with its own limit, are done well within this. */
const LONGEST_POLL_MS = 180_000;
/** Fits a message of the status document. */
const MAX_REASON_BYTES = 800;
/** Lines about one policy. */
const MAX_LOGGED_FINDINGS = 20;

/** The sentences that operators and tests of this product family look for. Source: agent 1.5. */
const MESSAGES = Object.freeze({
  fromDisk: "Found key details from local and ready to use.",
  attested: "Successfully attest the key and ready to use.",
  unread: "Failed to get key status",
  refused: "The policy of the host is refused",
  disabled: "Customer has not enforce the secure channel state.",
});

function targetsOf(policy: PolicySnapshot): TargetModes {
  const targets: Record<string, "audit" | "enforce"> = {};
  for (const endpoint of ENDPOINT_NAMES) {
    const { mode } = policy.endpoints[endpoint];
    if (mode !== "disabled") targets[endpoint] = mode;
  }
  return Object.freeze(targets);
}

/** `before` itself when it says the same. */
function sameOr(before: TargetModes | null, next: TargetModes): TargetModes {
  const isSame = before !== null &&
    ENDPOINT_NAMES.every((endpoint) => before[endpoint] === next[endpoint]);
  return isSame ? before : next;
}
