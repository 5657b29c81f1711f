import {
  type AuthorizationItem,
  type AuthorizationRules,
  ENDPOINT_NAMES,
  type EndpointName,
  type JsonValue,
} from "../../domain/wire/mod.ts";
import type { EndpointPolicy, PolicySnapshot } from "../../domain/policy/mod.ts";
import type { AgentSnapshot } from "../key_keeper/mod.ts";
import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import { describeFileError, openPrivateFolder, replaceFile } from "../../runtime/files.ts";
import { formatFileStamp } from "../../runtime/log_line.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";

/** As many dumps are kept. Source: agent 3.6. */
const MOST_DUMPS = 5;
/** Installations that wait to be written; older ones are passed over when the disk is slow. */
const MOST_WAITING = MOST_DUMPS;
const FILE_MODE = 0o640;
const LOOK_EVERY_MS = 1_000;

const DUMP_NAME =
  /^AuthorizationRules_\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d(\.\d{1,9})?-\d{1,20}\.json$/;

/** Whether the name is one of a rule dump. */
export function isRuleDump(name: string): boolean {
  return DUMP_NAME.test(name);
}

/** Text of one dump: the host's items as they came, and what the agent made of them. Source: authorization 1.4, 6.7. */
export function ruleDumpText(rules: AuthorizationRules | null, policy: PolicySnapshot): string {
  const inputRules: Record<string, unknown> = {};
  const computedRules: Record<string, unknown> = {};
  for (const endpoint of ENDPOINT_NAMES) {
    const item = itemOf(rules, endpoint);
    if (item !== null) inputRules[endpoint] = toPlain(item.source);
    computedRules[endpoint] = computed(item, policy.endpoints[endpoint]);
  }
  return JSON.stringify({ inputRules, computedRules, policyEpoch: policy.epoch }, null, 2);
}

/** What a dump tells. */
interface Installation {
  readonly rules: AuthorizationRules | null;
  readonly policy: PolicySnapshot;
}

export interface RuleDumpsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: string;
  /** Where policies are published. */
  readonly snapshot: Cell<AgentSnapshot>;
  /** The rules of the host's last document; `null` before the first and when it had none. */
  readonly rules: () => AuthorizationRules | null;
  /** Whether a file of this name in the folder belongs to the program. */
  readonly isOurs: (name: string) => boolean;
}

/** Writes a file for support with each installation of a policy, and keeps the last five. Source: agent 4.6. */
export class RuleDumps implements Part {
  readonly name = "rule_dumps";
  readonly #options: RuleDumpsOptions;

  constructor(options: RuleDumpsOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock, rules, snapshot } = this.#options;
    const waiting: Installation[] = [];
    let seenEpoch = snapshot.get().policy.epoch;
    snapshot.subscribe(({ policy }) => {
      if (policy.epoch === seenEpoch) return;
      seenEpoch = policy.epoch;
      // Neither changes with the next installation. The text of many rules takes milliseconds to make: not here, where
      // the installation still goes on and requests wait.
      waiting.push({ rules: rules(), policy });
      if (waiting.length > MOST_WAITING) waiting.shift();
    }, signal);
    health.report("RUNNING", "RULE_DUMPS_READY", "Rule dumps are written at each installation");
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await this.#write(ruleDumpText(next.rules, next.policy), health);
      }
    }
  }

  async #write(text: string, health: HealthReporter): Promise<void> {
    const { clock, folder, isOurs, logger } = this.#options;
    try {
      openPrivateFolder(folder, isOurs);
      const old = await this.#dumps();
      for (const name of old.slice(0, Math.max(0, old.length - (MOST_DUMPS - 1)))) {
        await Deno.remove(`${folder}/${name}`);
      }
      const path = `${folder}/AuthorizationRules_${freeStamp(clock.wallMs(), old)}`;
      const content = new TextEncoder().encode(text);
      await replaceFile(`${path}.json`, `${path}.tmp`, content, FILE_MODE);
      health.report("RUNNING", "RULE_DUMPS_WRITTEN", `Rule dump written: ${path}.json`);
    } catch (error) {
      // For support only: a dump that cannot be written is told and given up.
      const cause = describeFileError(error);
      health.report("STOPPED", "RULE_DUMPS_WRITE", `Rule dump cannot be written: ${cause}`);
      logger.warn("rule dump cannot be written", { folder, cause });
    }
  }

  /** The names of all dumps, oldest first. */
  async #dumps(): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of Deno.readDir(this.#options.folder)) {
      if (entry.isFile && isRuleDump(entry.name)) names.push(entry.name);
    }
    return names.sort();
  }
}

/** A stamp that no dump has yet: two installations may fall into one millisecond. */
function freeStamp(wallMs: number, taken: readonly string[]): string {
  for (let extraNs = 0n;; extraNs++) {
    const stamp = formatFileStamp(wallMs, extraNs);
    if (!taken.includes(`AuthorizationRules_${stamp}.json`)) return stamp;
  }
}

/** HostGAPlugin follows the rules of WireServer. Source: authorization 1.6. */
function itemOf(
  rules: AuthorizationRules | null,
  endpoint: EndpointName,
): AuthorizationItem | null {
  if (rules === null) return null;
  return endpoint === "imds" ? rules.imds : rules.wireserver;
}

const MODE_NAMES = Object.freeze({ disabled: "Disabled", audit: "Audit", enforce: "Enforce" });

function computed(item: AuthorizationItem | null, policy: EndpointPolicy) {
  return {
    id: item?.id ?? "",
    defaultAllowed: policy.kind === "closed" ? false : item?.defaultAccess !== "deny",
    mode: MODE_NAMES[policy.mode],
    privileges: {},
    identities: {},
    privilegeAssignments: {},
    kind: policy.kind,
    ...(policy.kind === "closed" ? { reason: policy.reason } : {}),
  };
}

/** A parsed document as plain objects. `fromEntries` defines members, so that no name reaches a prototype. */
function toPlain(value: JsonValue): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, member]) => [name, toPlain(member)]));
  }
  return Array.isArray(value) ? value.map(toPlain) : value;
}
