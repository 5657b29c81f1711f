import type { ConnectionRecord } from "../../src/domain/identity/mod.ts";
import { processStartTicks } from "../../src/platform/linux/process_start.ts";
import type { PlayedProcess } from "../conformance/inspector.ts";
import { sampleRecord } from "./sample_request.ts";

const NS_PER_TICK = 10_000_000n;
/** Waits for a line, then runs `sleep` in its place. */
const SCRIPT = "read -r _ && exec sleep 600";

/** A device number of user space in the kernel's own encoding. Source: new_decode_dev, linux/kdev_t.h. */
export function kernelDevice(userSpaceDevice: bigint): bigint {
  const major = (userSpaceDevice >> 8n) & 0xfffn;
  const minor = (userSpaceDevice & 0xffn) | ((userSpaceDevice >> 12n) & 0xfff00n);
  return (major << 20n) | minor;
}

/** What the kernel would record of a connection that this process opens now. */
export async function recordOf(pid: number): Promise<ConnectionRecord> {
  const exe = await Deno.stat(`/proc/${pid}/exe`);
  return sampleRecord({
    uid: Deno.uid() ?? 0,
    process: { tgid: pid, startedAtBootNs: BigInt(processStartTicks(pid) ?? 0) * NS_PER_TICK },
    exe: { device: kernelDevice(BigInt(exe.dev)), inode: BigInt(exe.ino ?? 0) },
  });
}

/** Starts a shell that waits; `program` may be a copy of it. */
export async function startShell(
  args: readonly string[],
  program = "/bin/sh",
): Promise<PlayedProcess> {
  const child = new Deno.Command(program, {
    args: ["-c", SCRIPT, ...args],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  const end = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    await child.status;
    await input.close().catch(() => {});
  };
  const inodeOf = async () => (await Deno.stat(`/proc/${child.pid}/exe`)).ino;
  return {
    record: await recordOf(child.pid),
    async changeProgram() {
      const before = await inodeOf();
      await input.write(new TextEncoder().encode("\n"));
      while (await inodeOf() === before);
    },
    end,
    [Symbol.asyncDispose]: end,
  };
}
