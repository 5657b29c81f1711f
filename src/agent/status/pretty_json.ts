/** Containers down to this depth are written member by member; what lies deeper is small. */
const DEEPEST_OPEN = 5;
const INDENT = "  ";
const PIECE_CHARACTERS = 65_536;

/**
 * JSON with two blanks a level, as `JSON.stringify` writes it, in small pieces. Maps are objects, sets are arrays, and members
 * that are `null` inside of plain objects are left out: they stand for what a document did not have.
 */
export function* prettyJsonPieces(value: unknown, depth = 0): Generator<string, void> {
  const isList = Array.isArray(value) || value instanceof Set;
  if (depth > DEEPEST_OPEN || !isList && (typeof value !== "object" || value === null)) {
    yield indented(JSON.stringify(toPlain(value), null, INDENT), depth);
    return;
  }
  const inner = `\n${INDENT.repeat(depth + 1)}`;
  let before = isList ? "[" : "{";
  for (const [name, member] of isList ? unnamed(value) : membersOf(value as object)) {
    yield `${before}${inner}${name === null ? "" : `${JSON.stringify(name)}: `}`;
    yield* prettyJsonPieces(member, depth + 1);
    before = ",";
  }
  if (before !== ",") yield isList ? "[]" : "{}";
  else yield `\n${INDENT.repeat(depth)}${isList ? "]" : "}"}`;
}

/** Text that comes in pieces, encoded as it comes, and never put together: that would take long where it is large. */
export class PieceBuffer {
  readonly #encoder = new TextEncoder();
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #text = "";

  add(piece: string): void {
    this.#text += piece;
    if (this.#text.length >= PIECE_CHARACTERS) this.#encode();
  }

  /** All of it, in the order in which it came. */
  chunks(): readonly Uint8Array<ArrayBuffer>[] {
    this.#encode();
    return this.#chunks;
  }

  #encode(): void {
    this.#chunks.push(this.#encoder.encode(this.#text));
    this.#text = "";
  }
}

function indented(text: string, depth: number): string {
  return depth === 0 ? text : text.replaceAll("\n", `\n${INDENT.repeat(depth)}`);
}

function* unnamed(list: Iterable<unknown>): Generator<[null, unknown]> {
  for (const element of list) yield [null, element];
}

function membersOf(value: object): Iterable<[string, unknown]> {
  if (value instanceof Map) return value;
  return Object.entries(value).filter(([, member]) => member !== null);
}

/** `fromEntries` defines members, so that no name reaches a prototype. */
function toPlain(value: unknown): unknown {
  if (value instanceof Set || Array.isArray(value)) return [...value].map(toPlain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries([...membersOf(value)].map(([name, member]) => [name, toPlain(member)]));
}
