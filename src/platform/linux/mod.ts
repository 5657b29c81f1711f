/**
 * @module
 * The Linux side of the agent: kernel programs, processes, accounts, key files, sockets, systemd. It translates between the
 * system and the agent's interfaces and decides nothing. Implements agent.md 3, 7.1 to 7.5 and 7.8, authorization 7.1.
 */
import { Libbpf } from "../../../ffi/libbpf.ts";
import { Libc } from "../../../ffi/libc.ts";
import { AgentError } from "../../runtime/errors.ts";
import { readNotifyTarget } from "../../runtime/service_notify.ts";
import { SystemClock } from "../../runtime/system_clock.ts";
import type { Platform, PlatformOptions } from "../platform.ts";
import { readBpfObject } from "./bpf_objects.ts";
import { EpochFile } from "./epoch_file.ts";
import { releaseExecutablePages } from "./executable_pages.ts";
import { LinuxKeyStore } from "./key_store.ts";
import { LinuxRedirector } from "./linux_redirector.ts";
import { PolicyFile } from "./policy_file.ts";
import { ProcessInspector } from "./process_inspector.ts";
import { LinuxRuleFiles, rulesFolder } from "./rule_files.ts";
import { SystemAccounts } from "./system_accounts.ts";
import { SystemdNotify } from "./systemd_notify.ts";

export { openLinuxDiagnostics } from "./kernel_view.ts";

/** Age of a heartbeat from which the kernel lets audit targets through. */
const HEARTBEAT_STALE_MS = 5_000;
/** Descriptors for 16,384 callers with an upstream connection each, and for everything else. */
const WANTED_DESCRIPTORS = 65_536;
const ROOT_UID = 0;

/**
 * Opens the Linux platform.
 * @throws AgentError NOT_ROOT, LIBRARY_MISSING
 */
export function openLinux(options: PlatformOptions): Platform {
  if (Deno.uid() !== ROOT_UID) {
    throw new AgentError("NOT_ROOT", "the agent must run as root; start it with sudo");
  }
  const { logger } = options;
  const libc = new Libc();
  const clock = new SystemClock({ bootNs: () => libc.bootNs() });
  const inspector = new ProcessInspector(libc, clock, options.redact);
  const notifyTarget = readNotifyTarget((name) => Deno.env.get(name), Deno.pid);
  return {
    clock,
    redirector: new LinuxRedirector(
      libc,
      openLibbpf(libc, options),
      {
        cgroupRoot: options.cgroupRoot,
        bpfFolder: options.bpfFolder,
        readObject: (variant) => readBpfObject(options.bpfObjects, variant),
        endpoints: options.endpoints,
        userConnectionLimit: options.userConnectionLimit,
        rootConnectionLimit: options.rootConnectionLimit,
        staleAfterMs: HEARTBEAT_STALE_MS,
      },
      logger.child("redirector"),
    ),
    inspector,
    accounts: new SystemAccounts(libc, clock, logger.child("accounts")),
    keyStore: new LinuxKeyStore(options.keyFolder, { kept: options.keptKeys }),
    epochStore: new EpochFile(options.keyFolder),
    policyStore: new PolicyFile(options.keyFolder),
    ruleFiles: new LinuxRuleFiles(rulesFolder(options.keyFolder)),
    serviceNotify: new SystemdNotify(libc, notifyTarget, logger.child("service")),
    watchdogEveryMs: notifyTarget?.watchdogEveryMs ?? null,
    raiseLimits: () => libc.raiseDescriptorLimit(WANTED_DESCRIPTORS),
    releaseStartMemory: () => releaseExecutablePages(libc),
    [Symbol.dispose]: () => inspector[Symbol.dispose](),
  };
}

function openLibbpf(libc: Libc, options: PlatformOptions): Libbpf {
  const log = options.logger.child("libbpf");
  try {
    return new Libbpf(libc, (level, text) => log[level](text));
  } catch (cause) {
    throw new AgentError(
      "LIBRARY_MISSING",
      "libbpf could not be opened; install it: apt-get install libbpf1 (or libbpf0)",
      { cause },
    );
  }
}
