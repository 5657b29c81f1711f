/**
 * Times how the agent finds out who is at the other end of a connection, on a connection that the kernel really
 * redirected: the look-up in the map, the caller from facts that are cached, and the check that comes with each later
 * request. Arguments: cgroup and folder. Says `ready` when it listens.
 *
 * @module
 */
import { Resolver } from "../../../src/agent/caller/mod.ts";
import { ENDPOINTS } from "../../../src/domain/wire/mod.ts";
import { median } from "../measurement.ts";
import { openParts, tell } from "./open_parts.ts";

const BATCHES = 200;
const CALLS = 500;

const [cgroup = "", folder = ""] = Deno.args;
using platform = await openParts({ cgroup, folder });
const { redirector, inspector, accounts } = platform;
const { address, port } = ENDPOINTS.listener;
using listener = Deno.listen({ hostname: address, port });
redirector.setTargets({ imds: "enforce" });
await redirector.attach(new AbortController().signal);
redirector.beat();
tell("ready");

using connection = await listener.accept();
const { hostname, port: peerPort } = connection.remoteAddr as Deno.NetAddr;
const peer = { address: hostname, port: peerPort };
const resolver = new Resolver(inspector, accounts);
const attribution = redirector.attribute(peer);
if (attribution.kind !== "redirected") throw new Error(`the caller is ${attribution.kind}`);
const { record } = attribution;
const resolved = await resolver.resolve(record);

/** The median time of a call, microseconds. */
function time(call: () => unknown): number {
  const batches: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const startedMs = performance.now();
    for (let count = 0; count < CALLS; count++) call();
    batches.push((performance.now() - startedMs) * 1000 / CALLS);
  }
  return median(batches);
}

const attributeUs = time(() => redirector.attribute(peer));
const resolveUs = time(() => resolver.resolve(record));
const checkUs = time(() => resolved.check());
await redirector.detach();
tell({ attributeUs, resolveUs, checkUs, exe: resolved.caller.exe.kind });
