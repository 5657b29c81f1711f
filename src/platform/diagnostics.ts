import type { KernelView } from "../operator/doctor/mod.ts";
import { AgentError } from "../runtime/errors.ts";
import type { BpfObjectPaths } from "./platform.ts";

export type {
  AttachPoint,
  Dialled,
  KernelView,
  LinkFacts,
  PlacedProgram,
  PlacedPrograms,
  ProgramFacts,
  RedirectionFacts,
  Space,
  TargetFacts,
} from "../operator/doctor/mod.ts";

/** Where the agent that is to be looked at keeps its things. */
export interface DiagnosticsOptions {
  readonly cgroupRoot: string;
  readonly bpfFolder: string;
  readonly bpfObjects: BpfObjectPaths;
  readonly keyFolder: string;
}

/** What the operating system says of an agent, without touching it. */
export interface Diagnostics {
  /** `missing` says which library cannot be opened. */
  readonly kernel: KernelView | { readonly missing: string };
  readonly rulesFolder: string;
  /** Where the kernel programs are looked for, in order. */
  readonly bpfObjects: Readonly<Record<"full" | "no-task-reads", readonly string[]>>;
}

/**
 * Opens what the operating system knows of an agent. It needs no rights to be opened, and root to see everything.
 * @throws AgentError UNSUPPORTED_PLATFORM
 */
export async function openDiagnostics(options: DiagnosticsOptions): Promise<Diagnostics> {
  if (Deno.build.os !== "linux") {
    throw new AgentError("UNSUPPORTED_PLATFORM", `doctor does not run on \`${Deno.build.os}\` yet`);
  }
  const { openLinuxDiagnostics } = await import("./linux/mod.ts");
  return openLinuxDiagnostics(options);
}
