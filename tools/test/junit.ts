/** One test as `deno test --junit-path` reports it. */
export interface TestCase {
  readonly name: string;
  readonly file: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What a failed test threw; empty otherwise. */
  readonly message: string;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  apos: "'",
  gt: ">",
  lt: "<",
  quot: '"',
};

/** Reads the report, which has one element a line except for the text of failures. */
export function parseJunit(xml: string): TestCase[] {
  const cases: TestCase[] = [];
  for (const match of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const [, attributes = "", content = ""] = match;
    const failure = /<(?:failure|error)\b([^>]*)>([\s\S]*?)<\/(?:failure|error)>/.exec(content);
    cases.push({
      name: attribute(attributes, "name"),
      file: attribute(attributes, "classname"),
      outcome: failure !== null ? "failed" : /<skipped\b/.test(content) ? "skipped" : "passed",
      message: failure === null
        ? ""
        : decode(failure[2] ?? "").trim() || attribute(failure[1] ?? "", "message"),
    });
  }
  return cases;
}

function attribute(attributes: string, name: string): string {
  const match = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes);
  return decode(match?.[1] ?? "");
}

function decode(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });
}
