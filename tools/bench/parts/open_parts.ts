import { KEPT_KEYS } from "../../../src/agent/key_keeper/mod.ts";
import { redactedText } from "../../../src/domain/identity/mod.ts";
import { ENDPOINTS } from "../../../src/domain/wire/mod.ts";
import { openPlatform, type Platform } from "../../../src/platform/platform.ts";
import type { Logger } from "../../../src/runtime/logger.ts";

/** Where the parts put their things. */
export interface PartsPlace {
  readonly cgroup: string;
  readonly folder: string;
}

/** Says nothing. */
export const SILENT: Logger = Object.freeze({
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  trace: () => {},
  child: () => SILENT,
});

/** Opens the platform as the agent does, in the sandbox. */
export async function openParts(place: PartsPlace): Promise<Platform> {
  const platform = await openPlatform({
    endpoints: ENDPOINTS,
    cgroupRoot: place.cgroup,
    bpfFolder: `${place.folder}/parts-bpf`,
    bpfObjects: {
      fullPath: null,
      fileName: "redirector.o",
      folders: [new URL("../../../build/bpf", import.meta.url).pathname],
    },
    keyFolder: `${place.folder}/parts-keys`,
    keptKeys: KEPT_KEYS,
    userConnectionLimit: 16_384,
    rootConnectionLimit: 16_384,
    redact: redactedText,
    logger: SILENT,
  });
  platform.raiseLimits();
  return platform;
}

/** Tells the bench something, as a line of JSON. */
export function tell(word: unknown): void {
  console.log(JSON.stringify(word));
}
