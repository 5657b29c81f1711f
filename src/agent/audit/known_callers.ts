import type { Caller, ExeProof } from "../../domain/identity/caller.ts";
import { BoundedMap } from "../../runtime/bounded_map.ts";
import { callerFacts } from "./caller_facts.ts";
import type { AuditEntry } from "./record.ts";
import { type CallerTrack, makeTrack } from "./repetitions.ts";
import type { SummarySlot } from "./summaries.ts";

/** Callers (the same user with the same command, on any connection) whose indexes are kept. */
const MOST_KNOWN = 1024;
/** Kinds of callers remembered of one process: it may act for several users and ask several endpoints. */
const MOST_NEAR = 8;

/** What is kept about callers alike: the way to their buckets and to their places in the summary. */
export interface Known extends CallerTrack {
  /** By status: where requests count in the summary of all requests. */
  readonly slots: Map<number, SummarySlot>;
}

/** A kind of callers, by an entry of it. */
interface Near {
  readonly caller: Caller;
  readonly clientAddress: string;
  readonly destination: AuditEntry["destination"];
  readonly known: Known;
}

/**
 * Finds what is kept about the caller of a request. Connections of one process share the proof of its executable, its
 * account and its command line as the very same objects; looking at those first spares a key of text for each connection.
 * Bounded.
 */
export class KnownCallers {
  readonly #byKey = new BoundedMap<string, Known>(MOST_KNOWN);
  readonly #byProcess = new WeakMap<ExeProof, Near[]>();

  of(entry: AuditEntry): Known {
    const { caller, client, destination } = entry;
    if (caller === null) return this.#byText(entry);
    let near = this.#byProcess.get(caller.exe);
    if (near === undefined) this.#byProcess.set(caller.exe, near = []);
    for (let at = 0; at < near.length; at++) {
      if (isAlike(near[at]!, caller, client.address, destination)) return near[at]!.known;
    }
    const known = this.#byText(entry);
    if (near.length >= MOST_NEAR) near.shift();
    near.push({ caller, clientAddress: client.address, destination, known });
    return known;
  }

  #byText(entry: AuditEntry): Known {
    const fresh = makeTrack(entry, callerFacts(entry.caller));
    let known = this.#byKey.get(fresh.keyPrefix);
    if (known === undefined) {
      known = { ...fresh, slots: new Map() };
      this.#byKey.set(fresh.keyPrefix, known);
    }
    return known;
  }
}

/** Whether all that goes into a caller's key is the same; where this says no the text of the key may still say yes. */
function isAlike(
  near: Near,
  caller: Caller,
  clientAddress: string,
  destination: AuditEntry["destination"],
): boolean {
  return near.caller.record.uid === caller.record.uid && near.caller.account === caller.account &&
    near.caller.commandLine === caller.commandLine &&
    near.destination?.port === destination?.port &&
    near.destination?.address === destination?.address &&
    (near.clientAddress === clientAddress ||
      (isLoopback(near.clientAddress) && isLoopback(clientAddress)));
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.");
}
