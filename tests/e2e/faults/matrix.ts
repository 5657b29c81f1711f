import { CLOCK } from "./clock.ts";
import { CONFIGURATION, PORT } from "./configuration.ts";
import { DISK } from "./disk.ts";
import type { FaultGroup } from "./fault.ts";
import { HOST } from "./host.ts";
import { KERNEL } from "./kernel.ts";
import { KEY_EXCHANGE } from "./key_exchange.ts";
import { KEY_FILE } from "./key_file.ts";

/** All faults, by the agents that go through them. */
export const FAULT_GROUPS: readonly FaultGroup[] = [
  HOST,
  KEY_EXCHANGE,
  DISK,
  CLOCK,
  KEY_FILE,
  CONFIGURATION,
  PORT,
  KERNEL,
];
