/**
 * HTTP/1.1 as bytes: heads are written and read, bodies are framed and unframed. No sockets, no timers, no policy.
 *
 * For: the listener (`agent/proxy`), the client towards the host (`agent/upstream`, `agent/host`), and whoever plays the
 * host in tests and in the simulator.
 *
 * The writer adds nothing to what it is given, because every header that leaves is signed. The readers are strict where
 * leniency could make two parties disagree about where a message ends: no folded lines, no blank before a colon, one
 * framing per message, and CR LF only, except in what the listener reads, which is never passed on as it came.
 *
 * Source: wire-protocol 1.3, 9.3, 9.5, 9.6; RFC 9112.
 * @module
 */
export {
  type BodyFraming,
  parseContentLength,
  requestFraming,
  type ResponseFraming,
  responseFraming,
} from "./body_framing.ts";
export { type BodyDecoder, bodyDecoder } from "./body_decoder.ts";
export { ChunkedDecoder } from "./chunked_decoder.ts";
export { encodeChunk, lastChunk } from "./chunk_writer.ts";
export type { Http1Fault } from "./faults.ts";
export {
  findHeadEnd,
  findRequestEnd,
  isHopeless,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
  skipBlankLines,
} from "./head_reader.ts";
export {
  encodeRequestHead,
  encodeRequestInto,
  encodeRequestMessage,
  encodeResponseHead,
  encodeResponseInto,
} from "./head_writer.ts";
export { HEAD_LIMITS, type HeadLimits, type MessageLimits } from "./limits.ts";
export {
  type ReceivedRequest,
  type ReceivedResponse,
  RequestReader,
  ResponseReader,
} from "./message_reader.ts";
export { ReadBuffer } from "./read_buffer.ts";
