import type { Libc } from "../../../ffi/libc.ts";

/** A mapping of this process, in bytes; `residentBytes` of it are in memory on the process's account. */
export interface Mapping {
  readonly address: bigint;
  readonly length: bigint;
  readonly residentBytes: number;
}

const FIRST_LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ +(.+)$/m;

/**
 * The mappings of the file at `path` whose pages are nothing but the file's, in the text of /proc/self/smaps: private, not
 * writable and without a page of the process's own. Source: proc_pid_smaps(5).
 */
export function untouchedMappings(smaps: string, path: string): Mapping[] {
  const mappings: Mapping[] = [];
  // Only the first line of a mapping begins with a digit or a small letter.
  for (const text of smaps.split(/\n(?=[0-9a-f])/)) {
    const [, from, to, mode, file] = FIRST_LINE.exec(text) ?? [];
    if (from === undefined || to === undefined || file !== path) continue;
    const residentBytes = bytesOf("Rss", text);
    if (mode?.[1] !== "-" || mode[3] !== "p" || bytesOf("Anonymous", text) !== 0) continue;
    const address = BigInt(`0x${from}`);
    mappings.push({ address, length: BigInt(`0x${to}`) - address, residentBytes });
  }
  return mappings;
}

/** One figure of a mapping; NaN where the kernel does not tell it. */
function bytesOf(name: string, text: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1] ?? NaN) * 1024;
}

/**
 * Gives the pages of the executable back to the system's cache; how many bytes. Starting uses three times as much of the
 * runtime as serving does. What is still used comes back without the disk, in a millisecond or two altogether. Libraries
 * stay: one that goes while this reads could leave its place to memory whose content counts.
 */
export async function releaseExecutablePages(libc: Libc): Promise<number> {
  const path = await Deno.readLink("/proc/self/exe");
  let bytes = 0;
  for (const mapping of untouchedMappings(await Deno.readTextFile("/proc/self/smaps"), path)) {
    if (libc.dropPages(mapping.address, mapping.length)) bytes += mapping.residentBytes;
  }
  return bytes;
}
