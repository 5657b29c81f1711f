import { request } from "./raw_client.ts";

const TARGETS = [
  "/metadata/instance?api-version=2021-02-01",
  "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://a/",
  "/?comp=versions",
  "/machine?comp=goalstate",
  "/machine/?comp=telemetrydata",
  "/vmAgentLog",
  "/vmSettings",
  "/a/b%20c?x=1&y=%2f",
];
const METHODS = ["GET", "GET", "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE"];
const FIELDS = [
  "Metadata: true",
  "Accept: */*",
  "x-ms-azure-host-claims: forged",
  "X-MS-Azure-Host-Authorization: forged",
  "x_ms_azure_host_date: forged",
  "Connection: keep-alive",
  "Connection: close, x-a",
  "Connection: x-ms-azure-host-claims",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip",
  "Content-Length: 0",
  "Content-Length: 5",
  "Content-Length: 99999999999",
  "Expect: 100-continue",
  "Upgrade: h2c",
  "TE: trailers",
  "Trailer: x-a",
  "Host: 168.63.129.16",
  "X-A: \x80",
  "X-Long: " + "a".repeat(3_000),
];
const BODIES = [
  "",
  "",
  "hello",
  "5\r\nhello\r\n0\r\n\r\n",
  "5;a=b\r\nhello\r\n0\r\nx-a: b\r\n\r\n",
  "zz\r\n",
];
const BYTES = [
  "\x00",
  "\r",
  "\n",
  "\r\n",
  " ",
  "\t",
  ":",
  "/",
  "..",
  "//",
  "%2e",
  "%",
  "\x7f",
  "\x80",
  "\xff",
  "#",
  "?",
  ",",
  ";",
  "\\",
];

/** Makes requests that are wrong in a few places; the same for the same seed. */
export class Mutator {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) >>> 0; // spreads neighbouring seeds
  }

  /** Bytes as characters. */
  next(): string {
    const fields = Array.from({ length: this.#below(4) }, () => this.#of(FIELDS));
    let text = request(this.#of(METHODS), this.#of(TARGETS), fields, this.#of(BODIES));
    for (let count = this.#below(3); count > 0; count--) text = this.#mutate(text);
    return this.#below(8) === 0 ? text + request("GET", this.#of(TARGETS)) : text;
  }

  #mutate(text: string): string {
    // Most go into the head, where they are read.
    const at = this.#below(this.#below(4) === 0 ? text.length : Math.min(text.length, 120));
    switch (this.#below(5)) {
      case 0:
        return text.slice(0, at) + this.#of(BYTES) + text.slice(at);
      case 1:
        return text.slice(0, at) + text.slice(at + 1 + this.#below(4));
      case 2:
        return text.slice(0, at) + String.fromCharCode(this.#below(256)) + text.slice(at + 1);
      case 3: {
        const to = at + this.#below(40);
        return text.slice(0, to) + text.slice(at);
      }
      default:
        return this.#below(4) === 0 ? text.slice(0, at) : text.replace("\r\n", this.#of(BYTES));
    }
  }

  #of<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  /** xorshift32. */
  #below(limit: number): number {
    let x = this.#state === 0 ? 1 : this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return limit <= 0 ? 0 : this.#state % limit;
  }
}
