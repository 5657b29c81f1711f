const ENCODER = new TextEncoder();

/** The bytes that end a chunked body without trailers. A fresh array: a sent buffer is never shared. */
export function lastChunk(): Uint8Array<ArrayBuffer> {
  return ENCODER.encode("0\r\n\r\n");
}

/**
 * `data` as one chunk: size line, data, line end, in one buffer. Empty data gives an empty array, because a chunk of
 * size 0 would end the body. With `last` the end of the body follows.
 */
export function encodeChunk(data: Uint8Array, last = false): Uint8Array<ArrayBuffer> {
  const size = data.length === 0 ? "" : data.length.toString(16) + "\r\n";
  const end = (data.length === 0 ? "" : "\r\n") + (last ? "0\r\n\r\n" : "");
  const bytes = new Uint8Array(size.length + data.length + end.length);
  ENCODER.encodeInto(size, bytes);
  bytes.set(data, size.length);
  ENCODER.encodeInto(end, bytes.subarray(size.length + data.length));
  return bytes;
}
