import type { HeaderField } from "../domain/wire/client_request.ts";
import type { EndpointName } from "../domain/wire/endpoints.ts";
import { splitTarget } from "./canonical.ts";

/** A request as it arrived at the simulated host. */
export class HostRequest {
  readonly path: string;
  readonly query: string;
  readonly receivedAtMs: number;

  constructor(
    readonly endpoint: EndpointName,
    /** `address:port` of whoever connected. */
    readonly peer: string,
    readonly method: string,
    readonly target: string,
    readonly version: "1.0" | "1.1",
    /** Names lower-case, repeated fields kept apart. */
    readonly headers: readonly HeaderField[],
    /** The bytes of the head as they arrived. */
    readonly rawHead: Uint8Array,
    /** Without transfer coding. Empty for the two signature-exempt uploads, whose bytes are only counted. */
    readonly body: Uint8Array,
    readonly bodyBytes: number,
    receivedAtMs: number,
  ) {
    const { path, query } = splitTarget(target);
    this.path = path;
    this.query = query;
    this.receivedAtMs = receivedAtMs;
  }

  /** The values of a field, in order of receipt. */
  fields(name: string): string[] {
    const values: string[] = [];
    for (const field of this.headers) if (field[0] === name) values.push(field[1]);
    return values;
  }

  /** The last value of a field; `null` when it is absent. */
  field(name: string): string | null {
    return this.fields(name).at(-1) ?? null;
  }

  /** First value of a query parameter, percent-decoded, the name compared without case; `null` when it is absent. */
  parameter(name: string): string | null {
    for (const piece of this.query.split("&")) {
      const equals = piece.indexOf("=");
      const key = equals === -1 ? piece : piece.slice(0, equals);
      if (key.toLowerCase() === name) return equals === -1 ? "" : decoded(piece.slice(equals + 1));
    }
    return null;
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return value;
  }
}

/** What the simulated host answers. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: Uint8Array;
}

const ENCODER = new TextEncoder();
const NOTHING = new Uint8Array();

/** An answer with a JSON document. */
export function jsonAnswer(
  status: number,
  document: unknown,
  headers: readonly HeaderField[] = [],
): Answer {
  const body = ENCODER.encode(JSON.stringify(document));
  return {
    status,
    headers: [["content-type", "application/json; charset=utf-8"], ...headers],
    body,
  };
}

/** An answer with an XML document. */
export function xmlAnswer(document: string): Answer {
  return {
    status: 200,
    headers: [["content-type", "text/xml; charset=utf-8"]],
    body: ENCODER.encode(document),
  };
}

/** An answer with one line of text. */
export function textAnswer(status: number, text: string): Answer {
  return {
    status,
    headers: [["content-type", "text/plain; charset=utf-8"]],
    body: ENCODER.encode(text),
  };
}

/** An answer without a body. */
export function emptyAnswer(status: number): Answer {
  return { status, headers: [], body: NOTHING };
}
