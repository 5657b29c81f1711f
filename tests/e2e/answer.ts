/** An HTTP answer as a client saw it. */
export interface Answer {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Names as they came, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Statuses of interim answers before it. */
  readonly interim: readonly number[];
}

/** The value of a field, whatever the case of its name; several joined; `null` for none. */
export function field(answer: Answer, name: string): string | null {
  const values = answer.headers
    .filter(([each]) => each.toLowerCase() === name)
    .map(([, value]) => value);
  return values.length === 0 ? null : values.join(", ");
}

/** Reads a head, with interim ones before it, and takes the rest for the body. */
export function parseAnswer(text: string): Answer {
  const interim: number[] = [];
  for (let rest = text;;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) throw new Error(`no answer: ${JSON.stringify(rest.slice(0, 200))}`);
    const [statusLine = "", ...lines] = rest.slice(0, end).split("\r\n");
    const match = /^HTTP\/(\S+) (\d{3}) ?(.*)$/.exec(statusLine);
    if (match === null) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
    const [, version = "", status = "", reason = ""] = match;
    rest = rest.slice(end + 4);
    if (status.startsWith("1") && status !== "101") {
      interim.push(Number(status));
      continue;
    }
    const headers = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    return { version, status: Number(status), reason, headers, body: rest, interim };
  }
}
