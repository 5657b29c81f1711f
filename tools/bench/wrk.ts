import type { RunOptions, Sandbox } from "../sandbox/mod.ts";

/** One run of wrk. */
export interface Load {
  readonly requests: number;
  /** Answers in a second. */
  readonly rate: number;
  /** Time from a request's last byte to its answer's last, microseconds. Opening a connection is not in it. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** Answers of status 400 and more. */
  readonly refused: number;
  /** Connections that could not be opened, broke off or were silent for two seconds. */
  readonly broken: number;
}

/** What to load, and how. */
export interface LoadOrder {
  readonly url: string;
  readonly clients: number;
  /** Whether each request gets a connection of its own. */
  readonly isNewEach: boolean;
  readonly seconds: number;
}

const SCRIPT = new URL("./wrk.lua", import.meta.url);

/** Sends requests as fast as they are answered, on one thread. @throws Error when wrk does not run */
export async function runWrk(
  sandbox: Sandbox,
  order: LoadOrder,
  options: RunOptions,
): Promise<Load> {
  const script = `${sandbox.folder}/wrk.lua`;
  await Deno.copyFile(SCRIPT, script);
  await Deno.chmod(script, 0o644);
  const headers = ["-H", "Metadata: true", "-H", "User-Agent: bench/1.0", "-H", "Accept: */*"];
  if (order.isNewEach) headers.push("-H", "Connection: close");
  const { code, stdout, stderr } = await sandbox.run([
    ...["wrk", "-t1", `-c${order.clients}`, `-d${order.seconds}s`, "-s", script],
    ...headers,
    order.url,
  ], options);
  const line = stdout.split("\n").find((each) => each.startsWith("{"));
  if (code !== 0 || line === undefined) throw new Error(`wrk failed: ${stderr}${stdout}`);
  const found = JSON.parse(line) as Record<string, number>;
  const read = (name: string) => found[name] ?? NaN;
  return {
    requests: read("requests"),
    rate: read("requests") / read("durationUs") * 1e6,
    p50Us: read("p50Us"),
    p99Us: read("p99Us"),
    maxUs: read("maxUs"),
    refused: read("refused"),
    broken: read("connect") + read("read") + read("write") + read("timeout"),
  };
}
