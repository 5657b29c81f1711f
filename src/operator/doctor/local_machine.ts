import { accessSync, constants } from "node:fs";
import { ControlClient } from "../live_view/mod.ts";
import type { FileFacts, KernelView, Machine, ProgramOutput } from "./machine.ts";

const MOST_NAMES = 20_000;
const MODE_BITS = 0o7777;
const MOST_OUTPUT_CHARACTERS = 1024 * 1024;

/** The machine that this process runs on. It is looked at, never changed. */
export class LocalMachine implements Machine {
  readonly uid = Deno.uid();
  readonly kernelRelease = Deno.osRelease();

  constructor(readonly kernel: KernelView | { readonly missing: string }) {}

  wallMs(): number {
    return Date.now();
  }

  async facts(path: string): Promise<FileFacts | null> {
    const info = await orNull(Deno.lstat(path));
    if (info === null) return null;
    return {
      kind: info.isFile ? "file" : info.isDirectory ? "folder" : info.isSymlink ? "link" : "other",
      mode: (info.mode ?? 0) & MODE_BITS,
      uid: info.uid ?? 0,
      sizeBytes: info.size,
      modifiedMs: info.mtime?.getTime() ?? 0,
    };
  }

  async readText(
    path: string,
    mostBytes: number,
    from: "start" | "end" = "start",
  ): Promise<string | null> {
    const info = await orNull(Deno.stat(path));
    // A pipe or a device would not end.
    if (info === null || !info.isFile) return null;
    using file = await Deno.open(path);
    if (from === "end" && info.size > mostBytes) {
      await file.seek(info.size - mostBytes, Deno.SeekMode.Start);
    }
    // Files of /proc have no size: room for their content is made as it comes.
    let bytes = new Uint8Array(Math.min(mostBytes, Math.max(info.size, 65_536)));
    let length = 0;
    for (;;) {
      if (length === bytes.length) {
        if (length >= mostBytes) break;
        const larger = new Uint8Array(Math.min(mostBytes, 2 * length));
        larger.set(bytes);
        bytes = larger;
      }
      const read = await file.read(bytes.subarray(length));
      if (read === null) break;
      length += read;
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  }

  async names(path: string): Promise<readonly string[] | null> {
    const names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(path)) {
        names.push(name);
        if (names.length >= MOST_NAMES) break;
      }
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    return names;
  }

  linkTarget(path: string): Promise<string | null> {
    return orNull(Deno.readLink(path));
  }

  mayWrite(path: string): boolean {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  async ask(socket: string, path: string, limitMs: number): Promise<string> {
    using client = new ControlClient(socket);
    return await client.text(path, AbortSignal.timeout(limitMs));
  }

  async tell(command: readonly string[], limitMs: number): Promise<ProgramOutput | null> {
    const [program = "", ...args] = command;
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args,
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
    } catch {
      return null;
    }
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      try {
        child.kill("SIGKILL");
      } catch {
        // It ended by itself.
      }
    }, limitMs);
    const { code, stdout } = await child.output();
    clearTimeout(timer);
    if (isLate) return null;
    return { code, stdout: new TextDecoder().decode(stdout).slice(0, MOST_OUTPUT_CHARACTERS) };
  }
}

/** `null` where there is nothing; a process that ended meanwhile counts as nothing. */
async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return error instanceof Deno.errors.NotFound || code === "ENOTDIR" || code === "ESRCH";
}
