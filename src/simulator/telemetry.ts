import type { HostRequest } from "./request.ts";

/** Uploads that are kept. */
const CAPACITY = 256;
/** Larger bodies are taken and not kept. Source: wire-protocol 8.6. */
const MOST_BYTES = 65_536;
const DOCUMENT = /^<\?xml version="1\.0"\?><TelemetryData version="1\.0">.*<\/TelemetryData>$/s;
const EVENT = /<Event id="/g;

/** One upload of telemetry, as it arrived. */
export interface TelemetryUpload {
  /** Grows by one with each upload. */
  readonly seq: number;
  /** ISO 8601, UTC, by the machine's clock. */
  readonly time: string;
  readonly events: number;
  readonly xml: string;
}

/** What came in as telemetry. Bounded: the oldest upload gives way. */
export class TelemetryInbox {
  #uploads: TelemetryUpload[] = [];
  #nextSeq = 1;
  #events = 0;
  #unread = 0;

  /** Takes what may be an upload. */
  take(request: HostRequest): void {
    const isSmall = request.body.length > 0 && request.body.length < MOST_BYTES;
    const xml = isSmall ? new TextDecoder().decode(request.body) : "";
    if (!DOCUMENT.test(xml)) {
      this.#unread++;
      return;
    }
    const events = xml.match(EVENT)?.length ?? 0;
    const time = new Date(request.receivedAtMs).toISOString();
    this.#uploads.push({ seq: this.#nextSeq++, time, events, xml });
    if (this.#uploads.length > CAPACITY) this.#uploads.shift();
    this.#events += events;
  }

  /** Figures since the start, `unread` for what was no upload, and the uploads after `since`, oldest first. */
  read(since: number) {
    return {
      uploads: this.#nextSeq - 1,
      events: this.#events,
      unread: this.#unread,
      entries: this.#uploads.filter(({ seq }) => seq > since),
    };
  }
}
