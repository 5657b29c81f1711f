/**
 * @module
 * Fixed-offset access to C structures in preallocated buffers, and C strings. Native byte order is little-endian on
 * both supported architectures.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A buffer with a view: the storage of one C structure, reused between calls. */
export class StructBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }
  setU16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }
  setU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }
  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(offset, value, true);
  }
  /** Big-endian (network order) fields. */
  netU16(offset: number): number {
    return this.view.getUint16(offset, false);
  }
  setNetU16(offset: number, value: number): void {
    this.view.setUint16(offset, value, false);
  }
  netU32(offset: number): number {
    return this.view.getUint32(offset, false);
  }
  setNetU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, false);
  }
  /** NUL-terminated text of at most `maxBytes` bytes; ill-formed UTF-8 is replaced. */
  text(offset: number, maxBytes: number): string {
    return fixedText(this.bytes.subarray(offset, offset + maxBytes));
  }
}

/** The bytes before the first NUL as text; ill-formed UTF-8 is replaced. */
export function fixedText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A NUL-terminated copy. @throws TypeError when the text holds a NUL */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError("a C string cannot hold a NUL");
  const bytes = new Uint8Array(encoder.encode(text).length + 1);
  encoder.encodeInto(text, bytes);
  return bytes;
}
