import { type Context, Hono } from "hono";
import { ruleDumpSteps } from "../status/mod.ts";
import { Attestation } from "./attestation.ts";
import { callerOfConnection, callersOfProcess } from "./caller_facts.ts";
import { metrics } from "./metrics.ts";
import { PROMETHEUS_TYPE, prometheusText } from "./prometheus.ts";
import type { Sources } from "./sources.ts";

/** Nobody in between keeps or changes an answer; one of the runtimes would compress it. */
const AS_IT_IS = "no-store, no-transform";
const MOST_PID = 4_194_304;
const MOST_PORT = 65_535;

/** What the socket answers. Everything is read-only; `docs/operations.md` documents it for people. */
export function controlRoutes(sources: Sources): Hono {
  const app = new Hono();
  const attestation = new Attestation(sources);
  app.use(async (context, next) => {
    await next();
    context.header("cache-control", AS_IT_IS);
  });
  app.get("/v1/status", (context) => context.json(statusOf(sources)));
  app.get("/v1/attestation", async (context) => context.json(await attestation.document()));
  app.get("/v1/policy", async (context) => {
    const { policy } = sources.snapshot.get();
    const pieces = await sources.pace(ruleDumpSteps(sources.rules(), policy));
    context.header("content-type", "application/json");
    return context.body(ReadableStream.from(pieces));
  });
  app.get("/v1/caller", async (context) => await caller(context, sources));
  app.get("/v1/decisions", (context) => {
    const lines = sources.feed.read();
    if (lines === null) return refuse(context, 503, "there are readers enough; end one of them");
    context.header("content-type", "application/x-ndjson");
    return context.body(lines);
  });
  app.get("/metrics", (context) => {
    context.header("content-type", PROMETHEUS_TYPE);
    return context.body(prometheusText(metrics(sources)));
  });
  app.notFound((context) =>
    refuse(
      context,
      404,
      "there are GET /v1/status, /v1/policy, /v1/caller, /v1/attestation, /v1/decisions and /metrics",
    )
  );
  app.onError((error, context) => refuse(context, 500, `${error.name}: ${error.message}`));
  return app;
}

/** The status document of the agent, and with it what only operators of this machine are told. */
function statusOf(sources: Sources): Record<string, unknown> {
  const { clock, health, hostClock, memory, proxy, restarts, startedWallMs, status, version } =
    sources;
  const again = restarts();
  const parts = Object.fromEntries(
    [...health.all()].map(([part, facts]) => [
      part,
      { ...facts, restarts: again.get(part) ?? 0 },
    ]),
  );
  return {
    wallMs: clock.wallMs(),
    hostClockAheadMs: hostClock.skewMs(),
    version,
    startedWallMs,
    parts,
    connections: proxy.connectionCount,
    requests: proxy.requestCount,
    memory: memory(),
    status: JSON.parse(status.document("compact")),
  };
}

async function caller(context: Context, sources: Sources): Promise<Response> {
  const pid = numberIn(context.req.query("pid"), MOST_PID);
  const port = numberIn(context.req.query("port"), MOST_PORT);
  if (pid !== null && port === null) {
    const callers = await callersOfProcess(sources, pid);
    return callers.length > 0
      ? context.json({ pid, callers })
      : refuse(context, 404, `process ${pid} has no open connection to a guarded endpoint`);
  }
  if (port !== null && pid === null) {
    const address = context.req.query("address") ?? "127.0.0.1";
    return context.json(await callerOfConnection(sources, address, port));
  }
  return refuse(context, 400, "say either pid=NUMBER or port=NUMBER, with address=A.B.C.D");
}

/** A whole number from 1 to `most`; `null` for anything else. */
function numberIn(text: string | undefined, most: number): number | null {
  if (text === undefined || !/^[1-9]\d{0,9}$/.test(text)) return null;
  const value = Number(text);
  return value <= most ? value : null;
}

function refuse(context: Context, status: 400 | 404 | 500 | 503, error: string): Response {
  return context.json({ error }, status);
}
