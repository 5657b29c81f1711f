import type { EffectiveRules } from "../../domain/policy/mod.ts";
import type { EndpointMap } from "../../domain/wire/mod.ts";
import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Pace } from "../../runtime/slices.ts";
import type { CallerResolver } from "../caller/mod.ts";
import type { HostClock } from "../host/mod.ts";
import type { AgentSnapshot, KeyKeeper } from "../key_keeper/mod.ts";
import type { Proxy } from "../proxy/mod.ts";
import type { Redirector } from "../redirector/mod.ts";
import type { AggregateStatus, HealthBoard } from "../status/mod.ts";
import type { Upstream } from "../upstream/mod.ts";
import type { DecisionFeed } from "./decision_feed.ts";
import type { KeyAge } from "./key_age.ts";
import type { RequestMetrics } from "./request_metrics.ts";

/** A queue of the program: how much waits in it, and how much it has dropped since the start. */
export interface QueueReport {
  readonly queue: string;
  readonly waiting: number;
  readonly dropped: number;
}

/** Memory of the process, bytes. */
export interface MemoryReport {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

/** Whom the answers of the control socket are asked of. Everything is of the moment, nothing is kept here. */
export interface Sources {
  readonly clock: Clock;
  readonly version: string;
  /** When the program started, wall milliseconds. */
  readonly startedWallMs: number;
  readonly endpoints: EndpointMap;
  readonly requests: RequestMetrics;
  readonly feed: DecisionFeed;
  readonly keyAge: KeyAge;
  readonly hostClock: Pick<HostClock, "skewMs">;
  readonly status: Pick<AggregateStatus, "document">;
  readonly health: Pick<HealthBoard, "all">;
  readonly snapshot: Pick<Cell<AgentSnapshot>, "get">;
  /** The rules of the policy in use; `null` before the first. */
  readonly rules: () => EffectiveRules | null;
  readonly pace: Pace;
  readonly keeper: Pick<KeyKeeper, "pollResults" | "lastPollWallMs">;
  readonly redirector: Pick<Redirector, "attribute" | "identity" | "inspect">;
  readonly resolver: CallerResolver;
  readonly proxy: Pick<Proxy, "connectionsOf" | "connectionCount" | "cut" | "requestCount">;
  readonly upstream: Pick<Upstream, "report">;
  /** The names are a closed list. */
  readonly queues: () => readonly QueueReport[];
  /** Parts that were started again, and how often. */
  readonly restarts: () => ReadonlyMap<string, number>;
  readonly memory: () => MemoryReport;
  /** The program's file, as it runs: opened under `openPath`, told as `path`. */
  readonly executable: { readonly path: string; readonly openPath: string };
  /** Whether that file is the agent itself and not only its runtime. */
  readonly isCompiled: boolean;
}
