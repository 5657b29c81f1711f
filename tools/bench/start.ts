import { denoEnvironment } from "../setup/mod.ts";
import { failed, type Measurement, median, range } from "./measurement.ts";
import { SIGNATURE_PATH } from "./nginx.ts";
import type { BenchStage } from "./stage.ts";

/** Starts that count; one before them warms the caches and latches the key. */
const STARTS = 7;
const ANSWER_LIMIT_MS = 30_000;
const LISTENER_PORT = "3080";
const METADATA_ADDRESS = "169.254.169.254";

/** Microseconds from the exec; 0 for what did not happen. */
interface Start {
  readonly listeningUs: number;
  readonly signedUs: number;
}

/** Starts the agent several times with its key on disk and everything in the caches of the file system and of Deno. */
export async function measureStarts(stage: BenchStage): Promise<Measurement[]> {
  const first = await startOnce(stage);
  const starts: Start[] = [];
  for (let count = 0; count < STARTS; count++) starts.push(await startOnce(stage));
  const details = { first, starts };
  if ([first, ...starts].some((start) => start.listeningUs === 0 || start.signedUs === 0)) {
    return [
      failed("start-listening", "the agent did not come up", details),
      failed("start-signed", "the agent did not come up", details),
    ];
  }
  const listening = starts.map((start) => start.listeningUs / 1000);
  const signed = starts.map((start) => start.signedUs / 1000);
  return [
    {
      id: "start-listening",
      value: median(listening),
      note: `${range(listening, 0)} in ${STARTS} warm starts`,
      details,
    },
    {
      id: "start-signed",
      value: median(signed),
      note: `${range(signed, 0)}; the very first start, with a key to be latched: ${
        (first.signedUs / 1000).toFixed(0)
      }`,
      details,
    },
  ];
}

async function startOnce(stage: BenchStage): Promise<Start> {
  const { world, clients } = stage;
  const starter = world.sandbox.spawn([
    ...[clients.starter, LISTENER_PORT, METADATA_ADDRESS, SIGNATURE_PATH],
    ...["sh", "-c", `exec "$@" >>${world.sandbox.folder}/starts.out 2>&1`, "sh"],
    ...[...world.program, "console", "--config", world.configFile],
  ], { env: denoEnvironment(), stderr: "null" });
  const late = setTimeout(() => starter.kill("SIGTERM"), ANSWER_LIMIT_MS);
  const [line] = await lines(starter.stdout, 1);
  clearTimeout(late);
  starter.kill("SIGTERM");
  await starter.status;
  return JSON.parse(line ?? "") as Start;
}

/** The first lines of a stream, which is then left alone. */
async function lines(stream: ReadableStream<Uint8Array>, count: number): Promise<string[]> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    text += decoder.decode(piece, { stream: true });
    if (text.split("\n").length > count) break;
  }
  return text.split("\n").slice(0, count);
}
