import { denoEnvironment, LOCKED } from "../setup/mod.ts";
import type { RowId } from "./budgets.ts";
import { type Measurement, median, range } from "./measurement.ts";
import { type BenchStage, ORDINARY } from "./stage.ts";

const PART_LIMIT_MS = 120_000;

/** Who connects to a part once it listens: where to, how many, and from where. */
interface Callers {
  readonly address: string;
  readonly port: number;
  readonly count: number;
  readonly inCgroup: boolean;
}

/** The cost of finding out who calls. */
export async function measureAttribution(stage: BenchStage): Promise<Measurement> {
  const callers = { address: "169.254.169.254", port: 80, count: 1, inCgroup: true };
  const found = await runPart(stage, "attribution", callers) as Record<string, number>;
  const { attributeUs = NaN, resolveUs = NaN, checkUs = NaN } = found;
  return {
    id: "attribution",
    value: attributeUs + resolveUs,
    note: `map ${attributeUs.toFixed(1)}, caller from known facts ${resolveUs.toFixed(1)}; ` +
      `the check of each later request ${checkUs.toFixed(1)}`,
    details: found,
  };
}

/** How long rare work holds the event loop. The middle of several runs, because a busy machine holds it too. */
export async function measureEventLoop(stage: BenchStage): Promise<Measurement[]> {
  const found = await runPart(stage, "event_loop", null) as {
    sweepMs: number[];
    policyMs: number[];
    rotationMs: number[];
    statusMs: number[];
  };
  const held = (id: RowId, values: number[], note: string): Measurement => ({
    id,
    value: median(values),
    note: `${range(values, 1)}; ${note}`,
    details: values,
  });
  return [
    held("held-policy", found.policyMs, "a document with 400 rules, never seen before"),
    held("held-rotation", found.rotationMs, "files of 10 MiB, five kept"),
    held("held-status", found.statusMs, "with 2,000 summary entries"),
    held("held-sweep", found.sweepMs, "none of the limits is over"),
  ];
}

/** Runs a program of `parts/` in the sandbox, with callers as soon as it is ready; what it says last. */
async function runPart(
  stage: BenchStage,
  name: string,
  callers: Callers | null,
): Promise<unknown> {
  const { sandbox } = stage.world;
  const path = new URL(`./parts/${name}.ts`, import.meta.url).pathname;
  const part = sandbox.spawn([
    ...[Deno.execPath(), "run", "-A", ...LOCKED, path, sandbox.cgroup, sandbox.folder],
  ], { env: denoEnvironment() });
  const complaints = new Response(part.stderr).text();
  const late = setTimeout(() => part.kill("SIGKILL"), PART_LIMIT_MS);
  let holder: Deno.ChildProcess | null = null;
  let last: unknown = null;
  for await (const line of linesOf(part.stdout)) {
    last = JSON.parse(line);
    if (last !== "ready" || callers === null) continue;
    const { address, port, count, inCgroup } = callers;
    holder = sandbox.spawn(
      [stage.clients.holder, address, String(port), String(count), "-"],
      { user: ORDINARY, inCgroup, stdin: "piped", stdout: "null", stderr: "null" },
    );
  }
  const { code } = await part.status;
  clearTimeout(late);
  holder?.kill("SIGKILL");
  await holder?.status;
  if (code !== 0) throw new Error(`the part ${name} failed: ${await complaints}`);
  return last;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
