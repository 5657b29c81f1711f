import { HEAD_LIMITS, type ReceivedRequest, RequestReader } from "../../src/agent/http1/mod.ts";

/** The host's end of one connection. */
export interface HostEnd {
  write(data: string | Uint8Array): Promise<void>;
  close(): void;
}

/** Answers one request. */
export type AnswerRequest = (request: ReceivedRequest, end: HostEnd) => void | Promise<void>;

/** A host on loopback that answers as the test says, and remembers what reached it. Listens on all of 127.0.0.0/8. */
export class TcpHost implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = [];
  /** Connections accepted so far. */
  connections = 0;
  /** Connections that ended so far. */
  ended = 0;
  answer: AnswerRequest = (request, end) =>
    end.write(
      `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${request.method === "HEAD" ? "" : "ok"}`,
    );
  /** Called with a fresh connection; returning true means that its bytes are not to be read as requests. */
  accepted: (connection: Deno.TcpConn) => boolean = () => false;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #others: Deno.TcpListener[];
  readonly #open = new Set<Deno.TcpConn>();
  readonly #loops: Promise<void>[] = [];
  readonly port = this.#listener.addr.port;
  #isListening = true;

  constructor() {
    this.#others = ["127.0.0.2", "127.0.0.3"].map((hostname) =>
      Deno.listen({ hostname, port: this.port })
    );
    for (const listener of [this.#listener, ...this.#others]) {
      this.#loops.push(this.#accept(listener));
    }
  }

  /** From now on connections are refused. */
  stopListening(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    for (const listener of [this.#listener, ...this.#others]) listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopListening();
    for (const connection of this.#open) close(connection);
    await Promise.all(this.#loops);
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const connection of listener) {
        this.connections++;
        this.#open.add(connection);
        if (!this.accepted(connection)) this.#loops.push(this.#serve(connection));
      }
    } catch {
      // Closed while accepting.
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const reader = new RequestReader({ ...HEAD_LIMITS, bodyBytes: 200_000_000 });
    const end: HostEnd = {
      write: async (data) => {
        const bytes = typeof data === "string"
          ? Uint8Array.from(data, (character) => character.charCodeAt(0))
          : data;
        for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
      },
      close: () => close(connection),
    };
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) break;
        const pushed = reader.push(buffer.subarray(0, count));
        if (!pushed.ok) throw new Error(`the host could not read a request: ${pushed.error}`);
        for (const request of pushed.value) {
          this.requests.push(request);
          await this.answer(request, end);
        }
      }
    } catch {
      // Broken off by either side.
    }
    this.ended++;
    this.#open.delete(connection);
    close(connection);
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
