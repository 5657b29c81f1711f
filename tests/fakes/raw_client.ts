import { HEAD_LIMITS, type ReceivedResponse, ResponseReader } from "../../src/agent/http1/mod.ts";
import type { SocketAddress } from "../../src/domain/wire/mod.ts";

/** A client that says exactly what the test says and shows exactly what came back. */
export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  #pending = new Uint8Array();
  #isClosed = false;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(to: SocketAddress): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: to.address, port: to.port }));
  }

  /** Its own end. */
  get address(): SocketAddress {
    const { hostname, port } = this.#connection.localAddr;
    return { address: hostname, port };
  }

  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string"
      ? Uint8Array.from(data, (character) => character.charCodeAt(0))
      : data;
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** Says that nothing more will come. */
  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  /** The next response, interim ones left out. @throws when the connection ends before it does */
  async response(method = "GET"): Promise<ReceivedResponse> {
    const reader = new ResponseReader(method, { ...HEAD_LIMITS, bodyBytes: 200_000_000 });
    for (;;) {
      // One byte at a time, so that what follows the response stays for the next call.
      for (let at = 0; at < this.#pending.length; at++) {
        const step = reader.push(this.#pending.subarray(at, at + 1));
        if (!step.ok) throw new Error(`not a response: ${step.error}`);
        if (step.value === null) continue;
        this.#pending = this.#pending.slice(at + 1);
        return step.value;
      }
      this.#pending = new Uint8Array();
      const bytes = await this.#read();
      if (bytes === null) {
        const step = reader.close();
        if (step.ok) return step.value;
        throw new Error(`the connection ended: ${step.error}`);
      }
      this.#pending = bytes;
    }
  }

  /** Everything that comes until the connection ends, one character per byte. */
  async rest(): Promise<string> {
    let text = latin1(this.#pending);
    this.#pending = new Uint8Array();
    for (;;) {
      const bytes = await this.#read();
      if (bytes === null) return text;
      text += latin1(bytes);
    }
  }

  /** The next bytes, one character per byte; `null` at the end. */
  async some(): Promise<string | null> {
    const bytes = await this.#read();
    return bytes === null ? null : latin1(bytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #read(): Promise<Uint8Array<ArrayBuffer> | null> {
    const buffer = new Uint8Array(65_536);
    try {
      const count = await this.#connection.read(buffer);
      return count === null ? null : buffer.slice(0, count);
    } catch {
      return null;
    }
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
