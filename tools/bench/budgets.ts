/** Names of the rows, in the order in which they are shown. */
export type RowId =
  | "keepalive-1"
  | "keepalive-16"
  | "keepalive-64"
  | "new-1"
  | "new-16"
  | "idle-rss"
  | "idle-cpu"
  | "rss-1000"
  | "start-listening"
  | "start-signed"
  | "attribution"
  | "held-policy"
  | "held-rotation"
  | "held-status"
  | "held-sweep"
  | "connect-cost";

/** What a row must reach, and what it is after. */
export interface Budget {
  readonly id: RowId;
  readonly label: string;
  /** How `must`, `stretch` and the value are to be read: `x` is a ratio to nginx. */
  readonly unit: "x" | "MB" | "%" | "ms" | "us" | "ns";
  /** Whether less or more is better. */
  readonly best: "low" | "high";
  readonly must: number;
  readonly stretch: number;
}

/** Every budget. 1 MB is 10^6 bytes. */
export const BUDGETS: readonly Budget[] = Object.freeze([
  row("keepalive-1", "keep-alive, 1 client: p50 / nginx", "x", "low", 2.2, 1.4),
  row("keepalive-16", "keep-alive, 16 clients: rate / nginx", "x", "high", 0.45, 0.75),
  row("keepalive-64", "keep-alive, 64 clients: rate / nginx", "x", "high", 0.45, 0.85),
  row("new-1", "new connections, 1 client: p50 / nginx", "x", "low", 2.3, 1.3),
  row("new-16", "new connections, 16 clients: rate / nginx", "x", "high", 0.7, 1),
  row("idle-rss", "RSS, idle", "MB", "low", 64, 48),
  row("idle-cpu", "share of one processor, idle", "%", "low", 0.3, 0.1),
  row("rss-1000", "RSS with 1,000 open client connections", "MB", "low", 130, 90),
  row("start-listening", "start of the process to listening", "ms", "low", 150, 80),
  row("start-signed", "start of the process to first signed answer", "ms", "low", 1000, 500),
  row("attribution", "attribution of a new connection, in process", "us", "low", 20, 5),
  row("held-policy", "event loop held by a policy reload", "ms", "low", 5, 1),
  row("held-rotation", "event loop held by a log rotation", "ms", "low", 5, 1),
  row("held-status", "event loop held by writing the status", "ms", "low", 5, 1),
  row("held-sweep", "event loop held by a look at 5,000 connections", "ms", "low", 5, 1),
  row("connect-cost", "time added to an unrelated connect()", "ns", "low", 300, 200),
]);

/** What became of a row: `stretch` and `must` are reached, `missed` and `failed` fail the bench. */
export type Verdict = "stretch" | "must" | "missed" | "failed";

/** How a measured value stands; `null` is a measurement that went wrong. */
export function verdictOf(budget: Budget, value: number | null): Verdict {
  if (value === null) return "failed";
  const reaches = (limit: number) => budget.best === "low" ? value <= limit : value >= limit;
  if (reaches(budget.stretch)) return "stretch";
  return reaches(budget.must) ? "must" : "missed";
}

function row(
  id: RowId,
  label: string,
  unit: Budget["unit"],
  best: Budget["best"],
  must: number,
  stretch: number,
): Budget {
  return Object.freeze({ id, label, unit, best, must, stretch });
}
