/** Time that all threads of a process spent on a processor, nanoseconds. Source: proc(5), schedstat. */
export function cpuNs(pid: number): number {
  let total = 0;
  for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/schedstat`);
      total += Number(text.split(" ")[0]);
    } catch {
      // The thread ended meanwhile.
    }
  }
  return total;
}

const TICK_MS = 10;

/** Time that a process spent on a processor, threads that have ended included, milliseconds. Source: proc(5), stat. */
export function wholeCpuMs(pid: number): number {
  const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Memory of a process, bytes. */
export interface Memory {
  readonly rss: number;
  /** The part of it that is nobody else's and in no file. */
  readonly anonymous: number;
}

/** What a process holds in memory now. @throws Error when it is gone */
export function memoryOf(pid: number): Memory {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  const read = (name: string) => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text);
    return Number(match?.[1] ?? NaN) * 1024;
  };
  return { rss: read("VmRSS"), anonymous: read("RssAnon") };
}

/** TCP connections that were opened in the network namespace of a process since that was made. Source: RFC 4022. */
export function activeOpens(pid: number): number {
  const [names, values] = Deno.readTextFileSync(`/proc/${pid}/net/snmp`).split("\n")
    .filter((line) => line.startsWith("Tcp:")).map((line) => line.split(" "));
  return Number(values?.[names?.indexOf("ActiveOpens") ?? -1] ?? NaN);
}
