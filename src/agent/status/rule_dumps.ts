import { ENDPOINT_NAMES } from "../../domain/wire/mod.ts";
import type {
  EffectiveItem,
  EffectiveRules,
  EndpointPolicy,
  PolicySnapshot,
} from "../../domain/policy/mod.ts";
import type { AgentSnapshot } from "../key_keeper/mod.ts";
import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import { describeFileError, openPrivateFolder, replaceFile } from "../../runtime/files.ts";
import { formatFileStamp } from "../../runtime/log_line.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import { type Pace, unpaced } from "../../runtime/slices.ts";
import { PieceBuffer, prettyJsonPieces } from "./pretty_json.ts";

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

/**
 * Text of one dump, in steps: the effective items, and what they were compiled to. HostGAPlugin has its own where it follows a
 * local file. Source: authorization 1.4, 6.7.
 */
export function* ruleDumpSteps(
  rules: EffectiveRules | null,
  policy: PolicySnapshot,
): Generator<void, readonly Uint8Array<ArrayBuffer>[]> {
  const inputRules: [string, unknown][] = [];
  const computedRules: [string, unknown][] = [];
  for (const endpoint of ENDPOINT_NAMES) {
    const effective = rules?.[endpoint] ?? null;
    if (effective !== null) inputRules.push([endpoint, effective.item.source]);
    computedRules.push([endpoint, computed(effective, policy.endpoints[endpoint])]);
  }
  const document = new Map<string, unknown>([
    ["inputRules", new Map(inputRules)],
    ["computedRules", new Map(computedRules)],
    ["policyEpoch", policy.epoch],
  ]);
  const text = new PieceBuffer();
  for (const piece of prettyJsonPieces(document)) {
    text.add(piece);
    yield;
  }
  return text.chunks();
}

/** What a dump tells. */
interface Installation {
  readonly rules: EffectiveRules | null;
  readonly policy: PolicySnapshot;
}

export interface RuleDumpsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: string;
  /** Where policies are published. */
  readonly snapshot: Cell<AgentSnapshot>;
  /** The rules of the policy in use; `null` before the first. */
  readonly rules: () => EffectiveRules | null;
  /** How long making the text may hold up everything else; at once by default. */
  readonly pace?: Pace;
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
    const { clock, rules, snapshot, pace = unpaced } = this.#options;
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
        await this.#write(await pace(ruleDumpSteps(next.rules, next.policy)), health);
      }
    }
  }

  async #write(content: readonly Uint8Array<ArrayBuffer>[], health: HealthReporter): Promise<void> {
    const { clock, folder, isOurs, logger } = this.#options;
    try {
      openPrivateFolder(folder, isOurs);
      const old = await this.#dumps();
      for (const name of old.slice(0, Math.max(0, old.length - (MOST_DUMPS - 1)))) {
        await Deno.remove(`${folder}/${name}`);
      }
      const path = `${folder}/AuthorizationRules_${freeStamp(clock.wallMs(), old)}`;
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

const MODE_NAMES = Object.freeze({ disabled: "Disabled", audit: "Audit", enforce: "Enforce" });

/** The shape of authorization 1.4, with what others do not have at its end. */
function computed(
  effective: EffectiveItem | null,
  policy: EndpointPolicy,
): ReadonlyMap<string, unknown> {
  const compiled = policy.kind === "rules" ? policy.rules : null;
  return new Map<string, unknown>([
    ["id", effective?.item.id ?? ""],
    ["defaultAllowed", policy.kind === "built-in" || compiled?.defaultAllowed === true],
    ["mode", MODE_NAMES[policy.mode]],
    ["privileges", compiled?.privileges ?? {}],
    ["identities", compiled?.identities ?? {}],
    ["privilegeAssignments", compiled?.privilegeAssignments ?? {}],
    ["kind", policy.kind],
    ...(policy.kind === "closed" ? [["reason", policy.reason]] as const : []),
  ]);
}
