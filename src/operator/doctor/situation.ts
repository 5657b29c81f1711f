import { STATUS_FILE_NAME } from "../../agent/status/mod.ts";
import type {
  AgentSettings,
  DoctorSettings,
  KernelView,
  Machine,
  RedirectionFacts,
} from "./machine.ts";

const LONGEST_STATUS_BYTES = 16 * 1024 * 1024;
/** Younger documents of modules that are not up may be those of an agent that is just starting. */
const STARTING_MS = 5_000;

/** What a module says of itself in the status document. */
export interface ModuleView {
  readonly status: string;
  readonly message: string;
}

/** The status document, as far as the checks look at it. Members that are missing or of another type are empty. */
export interface StatusView {
  readonly writtenAtMs: number;
  readonly version: string;
  readonly modules: ReadonlyMap<string, ModuleView>;
  /** `keyLatchStatus.states`. */
  readonly states: ReadonlyMap<string, string>;
}

/** Modules without which the agent does not do its job, and those whose loss is only a pity. */
export const MODULES = Object.freeze(
  {
    keyLatchStatus: "FAIL",
    ebpfProgramStatus: "FAIL",
    proxyListenerStatus: "FAIL",
    monitorStatus: "WARN",
    telemetryLoggerStatus: "WARN",
  } as const,
);

/** What several checks look at: read once in a run, when the first of them asks. */
export class Situation {
  #status: Promise<StatusView | null> | null = null;
  #redirection: { readonly facts: RedirectionFacts } | { readonly error: unknown } | null = null;

  constructor(readonly settings: DoctorSettings, readonly machine: Machine) {}

  /** @throws Error where the libraries cannot be opened */
  get kernel(): KernelView {
    const { kernel } = this.machine;
    if ("missing" in kernel) throw new Error(`the kernel cannot be asked: ${kernel.missing}`);
    return kernel;
  }

  /** @throws Error where the kernel cannot be asked, the same each time */
  redirection(): RedirectionFacts {
    this.#redirection ??= attempt(() => this.kernel.redirection());
    if ("error" in this.#redirection) throw this.#redirection.error;
    return this.#redirection.facts;
  }

  /** The agent's process as the kernel programs know it; `null` when there is none or it is gone. */
  agent(): AgentSettings | null {
    const { agent } = this.redirection();
    return agent !== null && agent.isAlive ? agent : null;
  }

  get statusPath(): string {
    return `${this.settings.statusFolder}/${STATUS_FILE_NAME}`;
  }

  /** The status document; `null` when there is none or it cannot be read as one. */
  status(): Promise<StatusView | null> {
    this.#status ??= this.#readStatus();
    return this.#status;
  }

  /** Whether an agent seems to have started just now, which does not say yet what has come up. Looks anew each time. */
  async isStarting(): Promise<boolean> {
    const status = await this.#readStatus();
    if (status === null || this.machine.wallMs() - status.writtenAtMs > STARTING_MS) return false;
    return Object.entries(MODULES).some(([name, outcome]) =>
      outcome === "FAIL" && status.modules.get(name)?.status === "UNKNOWN"
    );
  }

  async #readStatus(): Promise<StatusView | null> {
    const facts = await this.machine.facts(this.statusPath);
    const text = await this.machine.readText(this.statusPath, LONGEST_STATUS_BYTES);
    if (facts === null || text === null) return null;
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch {
      return null;
    }
    const inner = member(document, "proxyAgentStatus");
    const modules = Object.keys(MODULES).map((name): [string, ModuleView] => {
      const module = member(inner, name);
      return [name, { status: word(module, "status"), message: word(module, "message") }];
    });
    const states = Object.entries(member(member(inner, "keyLatchStatus"), "states") ?? {})
      .filter((pair): pair is [string, string] => typeof pair[1] === "string");
    return {
      writtenAtMs: facts.modifiedMs,
      version: word(inner, "version"),
      modules: new Map(modules),
      states: new Map(states),
    };
  }
}

function attempt<T>(read: () => T): { readonly facts: T } | { readonly error: unknown } {
  try {
    return { facts: read() };
  } catch (error) {
    return { error };
  }
}

function member(value: unknown, name: string): object | null {
  const found = (value as Record<string, unknown> | null | undefined)?.[name];
  return typeof found === "object" ? found : null;
}

function word(value: object | null, name: string): string {
  const found = (value as Record<string, unknown> | null)?.[name];
  return typeof found === "string" ? found : "";
}
