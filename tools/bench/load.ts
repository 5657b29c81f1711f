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
export type Round = Readonly<Record<Candidate, Run>>;

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
  rounds: number,
  seconds: number,
): Promise<Measurement> {
  for (const candidate of CANDIDATES) await run(stage, shape, candidate, WARM_UP_SECONDS);
  const results: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? CANDIDATES : CANDIDATES.toReversed();
    const runs: Partial<Record<Candidate, Run>> = {};
    for (const candidate of order) runs[candidate] = await run(stage, shape, candidate, seconds);
    results.push(runs as Round);
  }
  return judge(shape, results);
}

async function run(
  stage: BenchStage,
  shape: Shape,
  candidate: Candidate,
  seconds: number,
): Promise<Run> {
  const { url, options } = ROUTES[candidate];
  const pid = { direct: null, nginx: stage.proxyPid, agent: stage.agentPid }[candidate];
  const [cpuBefore, openedBefore] = [pid === null ? 0 : cpuNs(pid), activeOpens(stage.proxyPid)];
  const { clients, isNewEach } = shape;
  const load = await runWrk(stage.world.sandbox, { url, clients, isNewEach, seconds }, options);
  const cpuUs = pid === null ? null : (cpuNs(pid) - cpuBefore) / 1000 / load.requests;
  return { ...load, cpuUs, opened: (activeOpens(stage.proxyPid) - openedBefore) / load.requests };
}

/** A fast refusal is not a fast answer, and a connection used twice is not a new one: both spoil the row. */
function judge(shape: Shape, rounds: readonly Round[]): Measurement {
  const { id, measure } = shape;
  const of = (candidate: Candidate) => rounds.map((round) => round[candidate]);
  for (const candidate of CANDIDATES) {
    const runs = of(candidate);
    const refused = runs.reduce((sum, each) => sum + each.refused, 0);
    const broken = runs.reduce((sum, each) => sum + each.broken, 0);
    if (refused + broken > 0) {
      return failed(id, `${candidate}: ${refused} refused, ${broken} broken`, rounds);
    }
    if (shape.isNewEach && runs.some(({ opened }) => opened < LEAST_OPENED)) {
      return failed(id, `${candidate}: connections were used twice`, rounds);
    }
  }
  const value = (run: Run) => measure === "p50" ? run.p50Us : run.rate;
  const ratios = (to: Candidate) => rounds.map((each) => value(each.agent) / value(each[to]));
  const shown = CANDIDATES.map((candidate) =>
    `${candidate} ${Math.round(median(of(candidate).map(value)))}`
  ).join(", ");
  const cpu = (candidate: Candidate) => median(of(candidate).map(({ cpuUs }) => cpuUs ?? NaN));
  return {
    id,
    value: median(ratios("nginx")),
    note: `${range(ratios("nginx"), 2)}; ${measure === "p50" ? "p50 us" : "1/s"}: ${shown}; ` +
      `CPU us: agent ${cpu("agent").toFixed(0)}, nginx ${cpu("nginx").toFixed(0)}`,
    details: {
      ratioToNginx: ratios("nginx"),
      ratioToDirect: ratios("direct"),
      addedP50Us: median(of("agent").map((run) => run.p50Us)) -
        median(of("direct").map((run) => run.p50Us)),
      rounds,
    },
  };
}
