import { type HeaderField, reasonPhrase } from "../../domain/wire/mod.ts";

/** What a caller is answered. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** As they are sent, but for the fields about the caller's connection and the framing of a stream. */
  readonly headers: readonly HeaderField[];
  /**
   * A whole body is taken before anything else happens: the array may be used again right after. A stream without a
   * `content-length` field is framed as the caller's version of the protocol allows.
   */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  /** Whether the connection ends with this answer, whatever the caller wants. */
  readonly closes: boolean;
}

const ENCODER = new TextEncoder();

/** An answer the agent makes up. To HEAD it has no body, and states a length only where a body would have one. */
export function localAnswer(
  status: number,
  headers: readonly HeaderField[],
  text: string,
  method: string,
  date: string,
  closes: boolean,
): Answer {
  const body = ENCODER.encode(text);
  const isHead = method === "HEAD";
  const length: HeaderField[] = isHead && text === ""
    ? []
    : [["content-length", String(body.length)]];
  return {
    status,
    reason: reasonPhrase(status) ?? "",
    headers: [...headers, ...length, ["date", date]],
    body: isHead ? null : body,
    closes,
  };
}
