/** Containers down to this depth are written member by member; what lies deeper is small. */
const DEEPEST_OPEN = 5;
const INDENT = "  ";
const PIECE_CHARACTERS = 65_536;

/**
 * JSON with two blanks a level, as `JSON.stringify` writes it, in small pieces. Maps are objects, sets are arrays, and members
 * that are `null` inside of plain objects are left out: they stand for what a document did not have.
 */
export function* prettyJsonPieces(value: unknown, depth = 0): Generator<string, void> {
  const isMap = value instanceof Map;
  if (depth > DEEPEST_OPEN || !isMap && !Array.isArray(value) && !(value instanceof Set)) {
    yield indented(JSON.stringify(toPlain(value), null, INDENT), depth);
    return;
  }
  const inner = `\n${INDENT.repeat(depth + 1)}`;
  let before = isMap ? "{" : "[";
  for (const entry of value) {
    const name = isMap ? `${JSON.stringify(entry[0])}: ` : "";
    yield `${before}${inner}${name}`;
    yield* prettyJsonPieces(isMap ? entry[1] : entry, depth + 1);
    before = ",";
  }
  if (before !== ",") yield isMap ? "{}" : "[]";
  else yield `\n${INDENT.repeat(depth)}${isMap ? "}" : "]"}`;
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

/** `fromEntries` defines members, so that no name reaches a prototype. */
function toPlain(value: unknown): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, member]) => [name, toPlain(member)]));
  }
  if (value instanceof Set) return [...value].map(toPlain);
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== null)
      .map(([name, member]) => [name, toPlain(member)]),
  );
}
