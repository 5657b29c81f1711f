/**
 * What one call of `FileAuditTrail.record()` costs. The budget of the request path is 5 us for a request that is only
 * counted; a record of its own is one small synchronous write.
 *
 *     deno bench -A tests/bench/audit_bench.ts
 *
 * @module
 */
import { FileAuditTrail, WriteBudget } from "../../src/agent/audit/mod.ts";
import { redact } from "../../src/domain/identity/mod.ts";
import { SystemClock } from "../../src/runtime/system_clock.ts";
import { MemoryLogger } from "../fakes/memory_logger.ts";
import { makeCaller, makeDenial, makeEntry } from "../unit/agent/audit/entries.ts";

const folder = Deno.makeTempDirSync();
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const unlimited = { burst: 1e9, perSecond: 1e9 };
const none = { burst: 1, perSecond: 1e-9 };

function trail(name: string, limits: typeof unlimited): FileAuditTrail {
  return new FileAuditTrail({
    clock: new SystemClock(),
    folder: `${folder}/${name}`,
    redact,
    logger: new MemoryLogger(),
    budget: new WriteBudget({ refusal: limits, sensitive: limits, first: limits }),
  });
}

const counted = trail("counted", unlimited);
const caller = makeCaller();
const entry = makeEntry({ caller });

Deno.bench("allowed again, same connection", { baseline: true }, () => void counted.record(entry));

Deno.bench("allowed again, new connection (its making included)", () => {
  counted.record(makeEntry({ caller: makeCaller() }));
});

const written = trail("written", unlimited);
const denial = makeDenial({ caller });
Deno.bench("refused, written", () => void written.record(denial));

const suppressed = trail("suppressed", none);
Deno.bench("refused, beyond the budget", () => void suppressed.record(denial));

const flooded = trail("flooded", none);
let kind = 0;
Deno.bench("allowed, every request another kind, table full", () => {
  flooded.record(makeEntry({ caller, target: `/${kind++}` }));
});
