import type { Accounts, Inspector } from "../agent/caller/mod.ts";
import type {
  EpochStore,
  KeyStage,
  KeyStore,
  PolicyStore,
  RuleFiles,
} from "../agent/key_keeper/mod.ts";
import type { Redirector } from "../agent/redirector/mod.ts";
import type { RedactedText } from "../domain/identity/caller.ts";
import type { EndpointMap } from "../domain/wire/endpoints.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/logger.ts";
import type { ServiceNotify } from "../runtime/service_notify.ts";
import { AgentError } from "../runtime/errors.ts";

/** What the agent needs of the operating system, each part as its own interface. */
export interface Platform extends Disposable {
  readonly clock: Clock;
  readonly redirector: Redirector;
  readonly inspector: Inspector;
  readonly accounts: Accounts;
  readonly keyStore: KeyStore;
  readonly epochStore: EpochStore;
  readonly policyStore: PolicyStore;
  readonly ruleFiles: RuleFiles;
  readonly serviceNotify: ServiceNotify;
  /** How often to tell the service manager that the program lives, milliseconds; `null` when it does not watch. */
  readonly watchdogEveryMs: number | null;
  /** Raises the process's limits as far as the system lets it; the limit of open descriptors that holds now. */
  raiseLimits(): number;
  /** Gives memory back that starting needed and serving does not, as far as the system knows a way; how many bytes. */
  releaseStartMemory(): Promise<number>;
}

/** How the BPF objects are named and where they are looked for first. */
export interface BpfObjectPaths {
  /** A full path that is tried first; `null` for none. */
  readonly fullPath: string | null;
  /** File name of the full object. */
  readonly fileName: string;
  /** Folders behind the installed one, the executable's first. */
  readonly folders: readonly string[];
}

/** How the parts are to be set up. */
export interface PlatformOptions {
  readonly endpoints: EndpointMap;
  readonly cgroupRoot: string;
  readonly bpfFolder: string;
  readonly bpfObjects: BpfObjectPaths;
  readonly keyFolder: string;
  /** How many keys of each stage stay on disk. */
  readonly keptKeys: Readonly<Record<KeyStage, number>>;
  readonly userConnectionLimit: number;
  readonly rootConnectionLimit: number;
  readonly redact: (text: string) => RedactedText;
  readonly logger: Logger;
}

/**
 * Opens the platform of the operating system: the one place that asks which it is.
 * @throws AgentError UNSUPPORTED_PLATFORM, NOT_ROOT, LIBRARY_MISSING
 */
export async function openPlatform(options: PlatformOptions): Promise<Platform> {
  if (Deno.build.os !== "linux") {
    throw new AgentError(
      "UNSUPPORTED_PLATFORM",
      `the agent does not run on \`${Deno.build.os}\` yet`,
    );
  }
  const { openLinux } = await import("./linux/mod.ts");
  return openLinux(options);
}
