import { type Context, Hono } from "hono";
import { FaultList, parseFaults } from "./faults.ts";
import type { SimulatedHost } from "./host.ts";
import { journalLine } from "./journal.ts";
import type { KeyNaming } from "./keys.ts";
import { hostMode, parsePolicy } from "./policy.ts";

/** Bytes of a control request's body: a policy as large as an agent takes. */
const MAX_BODY_BYTES = 4_194_304;
/** Journal entries of one answer. */
const MAX_ENTRIES = 1_000;
const NAMINGS: readonly KeyNaming[] = ["latched", "none", "foreign"];
/** Furthest the host's clock can be set apart, milliseconds. */
const MAX_SKEW_MS = 10 * 365 * 86_400_000;

/**
 * The control interface of the simulator. It changes what the host wants and does, and shows what it saw; it never shows
 * a key, a signature or a token. `docs/simulator.md` documents it for people.
 */
export function controlApp(host: SimulatedHost): Hono {
  const app = new Hono();
  app.get("/policy", (context) => context.json(host.policy));
  app.put("/policy", async (context) => {
    const document = await body(context);
    const policy = document.ok ? parsePolicy(document.value) : document;
    if (!policy.ok) return refuse(context, policy.error);
    host.policy = policy.value;
    return context.json(host.policy);
  });
  app.post("/rotate-key", (context) => {
    const key = host.keys.rotate(host.nowMs());
    return context.json({ keyGuid: key.guid, keyIncarnationId: key.incarnationId });
  });
  app.post("/forget-keys", (context) => {
    host.keys.forget();
    return context.json(keys(host));
  });
  app.put("/key-naming", async (context) => {
    const document = await body(context);
    const wanted = document.ok ? member(document.value, "keyGuid") : null;
    const naming = NAMINGS.find((known) => known === wanted);
    if (naming === undefined) return refuse(context, `\`keyGuid\` must be ${NAMINGS.join(", ")}`);
    host.keys.naming = naming;
    return context.json(keys(host));
  });
  app.get("/faults", (context) => context.json(faults(host.faults)));
  app.put("/faults", async (context) => {
    const document = await body(context);
    const parsed = document.ok ? parseFaults(document.value) : document;
    if (!parsed.ok) return refuse(context, parsed.error);
    host.faults.set(parsed.value);
    return context.json(faults(host.faults));
  });
  app.delete("/faults", (context) => {
    host.faults.set([]);
    return context.json(faults(host.faults));
  });
  app.put("/clock", async (context) => {
    const document = await body(context);
    const skewMs = document.ok ? member(document.value, "skewMs") : null;
    if (typeof skewMs !== "number" || !(Math.abs(skewMs) <= MAX_SKEW_MS)) {
      return refuse(context, `\`skewMs\` must be a number, at most ${MAX_SKEW_MS} either way`);
    }
    host.clockSkewMs = skewMs;
    return context.json({ skewMs });
  });
  app.get("/journal", (context) => {
    const since = Number(context.req.query("since") ?? 0);
    const limit = Number(context.req.query("limit") ?? MAX_ENTRIES);
    if (!(since >= 0) || !(limit >= 1)) {
      return refuse(context, "`since` and `limit` must be numbers");
    }
    const entries = host.journal.read(since, Math.min(limit, MAX_ENTRIES)).map(journalLine);
    return context.json({ nextSince: entries.at(-1)?.seq ?? since, entries });
  });
  app.delete("/journal", (context) => {
    host.journal.clear();
    return context.json({ nextSince: host.journal.nextSeq - 1 });
  });
  app.get("/telemetry", (context) => {
    const since = Number(context.req.query("since") ?? 0);
    if (!(since >= 0)) return refuse(context, "`since` must be a number");
    return context.json(host.telemetry.read(since));
  });
  app.get("/certificate", (context) => context.json({ thumbprint: host.certificate.thumbprint }));
  app.get("/state", (context) => context.json(state(host)));
  app.notFound((context) =>
    context.json({ error: `no such path; see ${app.routes.map((r) => r.path).join(" ")}` }, 404)
  );
  return app;
}

/** What the host is and has seen, without secrets. */
export function state(host: SimulatedHost): Record<string, unknown> {
  return {
    site: host.site,
    modes: {
      wireserver: hostMode(host.policy, "wireserver"),
      hostga: hostMode(host.policy, "hostga"),
      imds: hostMode(host.policy, "imds"),
    },
    keys: keys(host),
    requests: host.counts,
    faults: faults(host.faults),
    journal: {
      held: host.journal.length,
      capacity: host.journal.capacity,
      nextSeq: host.journal.nextSeq,
    },
    clockSkewMs: host.clockSkewMs,
  };
}

function keys(host: SimulatedHost): Record<string, unknown> {
  const { latched, announced, naming } = host.keys;
  return {
    latchedGuid: latched?.guid ?? null,
    latchedIncarnationId: latched?.incarnationId ?? null,
    announcedGuid: announced?.guid ?? null,
    naming,
    namedGuid: host.keys.namedGuid(),
  };
}

function faults(list: FaultList): Record<string, unknown> {
  return { hits: list.hits, faults: list.list };
}

async function body(
  context: Context,
): Promise<{ ok: true; value: unknown } | { ok: false; error: string }> {
  const bytes = await boundedBytes(context.req.raw.body);
  if (bytes === null) {
    return { ok: false, error: `the body is larger than ${MAX_BODY_BYTES} bytes` };
  }
  try {
    return { ok: true, value: JSON.parse(new TextDecoder().decode(bytes)) };
  } catch {
    return { ok: false, error: "the body is not JSON" };
  }
}

async function boundedBytes(stream: ReadableStream<Uint8Array> | null): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of stream ?? []) {
    total += chunk.length;
    if (total > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function member(document: unknown, name: string): unknown {
  return typeof document === "object" && document !== null
    ? (document as Record<string, unknown>)[name]
    : undefined;
}

function refuse(context: Context, error: string): Response {
  return context.json({ error }, 400);
}
