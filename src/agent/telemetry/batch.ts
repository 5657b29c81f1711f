import {
  DOCUMENT_END,
  DOCUMENT_START,
  eventXml,
  PROVIDER_END,
  type ProviderId,
  providerOf,
  providerStart,
  type TelemetryEvent,
} from "../../domain/wire/mod.ts";

/** An upload stays below this many bytes. Source: wire-protocol 8.6. */
export const UPLOAD_BYTES = 65_536;

const ENCODER = new TextEncoder();

/**
 * One upload in the making. Providers stand in the order of their first event, and none stands without one
 * (DEVIATION D-134). Source: wire-protocol 8.5, 8.6.
 */
export class Batch {
  readonly #vm: string;
  readonly #redact: (text: string) => string;
  readonly #providers = new Map<ProviderId, string[]>();
  #bytes = DOCUMENT_START.length + DOCUMENT_END.length;
  #count = 0;

  /** @param vm the parameters that begin every event */
  constructor(vm: string, redact: (text: string) => string) {
    this.#vm = vm;
    this.#redact = redact;
  }

  /** Events in it. */
  get count(): number {
    return this.#count;
  }

  /** Size of the document so far, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the event. `full`: it belongs into the next upload; `too-large`: into none. */
  add(event: TelemetryEvent): "added" | "full" | "too-large" {
    const xml = eventXml(event, this.#vm, this.#redact);
    const id = providerOf(event);
    const events = this.#providers.get(id);
    const frame = events === undefined ? providerStart(id).length + PROVIDER_END.length : 0;
    const bytes = this.#bytes + frame + ENCODER.encode(xml).length;
    if (bytes >= UPLOAD_BYTES) return this.#count === 0 ? "too-large" : "full";
    this.#bytes = bytes;
    this.#count++;
    if (events === undefined) this.#providers.set(id, [xml]);
    else events.push(xml);
    return "added";
  }

  /** The document, as it is sent. */
  document(): Uint8Array<ArrayBuffer> {
    let text = DOCUMENT_START;
    for (const [id, events] of this.#providers) {
      text += providerStart(id) + events.join("") + PROVIDER_END;
    }
    return ENCODER.encode(text + DOCUMENT_END);
  }
}
