import type { CommandOutput } from "../../../src/commands/output.ts";
import type { ProcessControl } from "../../../src/commands/run_agent.ts";

/** Keeps what a command writes. */
export class MemoryOutput implements CommandOutput {
  stdout = "";
  stderr = "";
  readonly reader = new AbortController();
  readonly readerGone = this.reader.signal;
  out(text: string): void {
    this.stdout += text;
  }
  err(text: string): void {
    this.stderr += text;
  }
}

/** A process whose signals the test raises and whose end only counts. */
export class FakeProcess implements ProcessControl {
  readonly handlers = new Map<Deno.Signal, Set<() => void>>();
  readonly umasks: number[] = [];
  readonly exits: number[] = [];
  isTerminal = false;
  elapsedMs = 0;
  readonly executable: string;

  constructor(executable = "/nowhere/azure-proxy-agent") {
    this.executable = executable;
  }
  umask(mask: number): void {
    this.umasks.push(mask);
  }
  onSignal(signal: Deno.Signal, handler: () => void): void {
    const handlers = this.handlers.get(signal) ?? new Set();
    this.handlers.set(signal, handlers.add(handler));
  }
  offSignal(signal: Deno.Signal, handler: () => void): void {
    this.handlers.get(signal)?.delete(handler);
  }
  nowMs(): number {
    return this.elapsedMs;
  }
  exit(code: number): void {
    this.exits.push(code);
  }
  hasTerminal(): boolean {
    return this.isTerminal;
  }
  environment(): string | undefined {
    return undefined;
  }
  raise(signal: Deno.Signal): void {
    for (const handler of this.handlers.get(signal) ?? []) handler();
  }
  get listening(): number {
    return [...this.handlers.values()].reduce((sum, handlers) => sum + handlers.size, 0);
  }
}

/** Runs `body` with the path of a configuration with these keys beside the three folders. */
export async function withConfig(
  keys: Record<string, unknown>,
  body: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/proxy-agent.json`;
    const folders = { logFolder: "/l", eventFolder: "/e", latchKeyFolder: "/k" };
    await Deno.writeTextFile(path, JSON.stringify({ ...folders, ...keys }));
    await body(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Resolves when the signal fires. */
export function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
