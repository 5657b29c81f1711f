import type { RowId } from "./budgets.ts";
import { failed, type Measurement, median, range } from "./measurement.ts";
import { activeOpens, cpuNs } from "./processes.ts";
import { type BenchStage, type Candidate, CANDIDATES, ROUTES } from "./stage.ts";
import { type Load, runWrk } from "./wrk.ts";

/** A way of asking. */
export interface Shape {
  readonly id: RowId;
  readonly clients: number;
  readonly isNewEach: boolean;
  /** What the budget compares. */
  readonly measure: "p50" | "rate";
}

/** The load shapes, in the order in which they are run. */
export const SHAPES: readonly Shape[] = Object.freeze([
  { id: "keepalive-1", clients: 1, isNewEach: false, measure: "p50" },
  { id: "keepalive-16", clients: 16, isNewEach: false, measure: "rate" },
  { id: "keepalive-64", clients: 64, isNewEach: false, measure: "rate" },
  { id: "new-1", clients: 1, isNewEach: true, measure: "p50" },
  { id: "new-16", clients: 16, isNewEach: true, measure: "rate" },
]);

/** One candidate under load once. */
export interface Run extends Load {
  /** Processor time of the proxy for each request, microseconds; `null` on the direct path. */
  readonly cpuUs: number | null;
  /** Connections that were opened in the VM for each request. */
  readonly opened: number;
}

/** All candidates once, in alternating order. */
export type Round = ReadonlyMap<Candidate, Run>;

const WARM_UP_SECONDS = 1;
/** Below this a request did not have a connection of its own. */
const LEAST_OPENED = 0.98;

/**
 * Measures one shape: the candidates take turns, forwards in one round and backwards in the next (A B C, C B A), and the
 * ratios are taken within a round, so that what slows the whole machine slows them all.
 */
export async function measureShape(
  stage: BenchStage,
  shape: Shape,
  candidates: readonly Candidate[],
  rounds: number,
  seconds: number,
): Promise<Measurement> {
  for (const candidate of candidates) await run(stage, shape, candidate, WARM_UP_SECONDS);
  const results: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? candidates : candidates.toReversed();
    const runs = new Map<Candidate, Run>();
    for (const candidate of order) runs.set(candidate, await run(stage, shape, candidate, seconds));
    results.push(runs);
  }
  return judge(shape, candidates, results);
}

async function run(
  stage: BenchStage,
  shape: Shape,
  candidate: Candidate,
  seconds: number,
): Promise<Run> {
  const { url, options } = ROUTES[candidate];
  const pid = stage.pidOf(candidate);
  const [cpuBefore, openedBefore] = [pid === null ? 0 : cpuNs(pid), activeOpens(stage.proxyPid)];
  const { clients, isNewEach } = shape;
  const load = await runWrk(stage.world.sandbox, { url, clients, isNewEach, seconds }, options);
  const cpuUs = pid === null ? null : (cpuNs(pid) - cpuBefore) / 1000 / load.requests;
  return { ...load, cpuUs, opened: (activeOpens(stage.proxyPid) - openedBefore) / load.requests };
}

/** A fast refusal is not a fast answer, and a connection used twice is not a new one: both spoil the row. */
function judge(
  shape: Shape,
  candidates: readonly Candidate[],
  rounds: readonly Round[],
): Measurement {
  const { id, measure } = shape;
  const details = rounds.map((round) => Object.fromEntries(round));
  const of = (candidate: Candidate) =>
    rounds.map((round) => round.get(candidate)).filter((each) => each !== undefined);
  for (const candidate of CANDIDATES) {
    const runs = of(candidate);
    const refused = runs.reduce((sum, each) => sum + each.refused, 0);
    const broken = runs.reduce((sum, each) => sum + each.broken, 0);
    if (refused + broken > 0) {
      return failed(id, `${candidate}: ${refused} refused, ${broken} broken`, details);
    }
    if (shape.isNewEach && runs.some(({ opened }) => opened < LEAST_OPENED)) {
      return failed(id, `${candidate}: connections were used twice`, details);
    }
  }
  const value = (run: Run) => measure === "p50" ? run.p50Us : run.rate;
  /** Of one candidate to another, in each round. */
  const ratios = (from: Candidate, to: Candidate) => {
    const [above, below] = [of(from).map(value), of(to).map(value)];
    return above.map((each, round) => each / (below[round] ?? NaN));
  };
  const shown = candidates.map((candidate) =>
    `${candidate} ${Math.round(median(of(candidate).map(value)))}`
  ).join(", ");
  const cpu = candidates.filter((candidate) => candidate !== "direct").map((candidate) =>
    `${candidate} ${median(of(candidate).map(({ cpuUs }) => cpuUs ?? NaN)).toFixed(0)}`
  ).join(", ");
  const toNginx = ratios("agent", "nginx");
  return {
    id,
    value: median(toNginx),
    note: `${range(toNginx, 2)}; ${measure === "p50" ? "p50 us" : "1/s"}: ${shown}; CPU us: ${cpu}`,
    details: {
      ratioToNginx: Object.fromEntries(
        candidates.map((candidate) => [candidate, median(ratios(candidate, "nginx"))]),
      ),
      addedP50Us: median(of("agent").map((run) => run.p50Us)) -
        median(of("direct").map((run) => run.p50Us)),
      rounds: details,
    },
  };
}
