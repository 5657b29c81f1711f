/**
 * The query as it is signed: parameters without a name are dropped, names are lower-cased, values stay as they are,
 * and the parameters are sorted by name and value written together without a separator. Two parameters that read the same
 * when written together (`a=bc` and `ab=c`) count as one, and the later stays: odd, but it is what the host computes.
 * Returns `""` for no query. Source: wire-protocol 5.4 and S-7.
 */
export function signingQuery(query: string | null): string {
  if (query === null || query.length === 0) return "";
  if (!query.includes("&")) {
    const equals = query.indexOf("=");
    return equals === 0 ? "" : rendered(query, equals);
  }
  const parameters = new Map<string, string>();
  for (const piece of query.split("&")) {
    const equals = piece.indexOf("=");
    if (piece.length === 0 || equals === 0) continue;
    const text = rendered(piece, equals);
    const key = equals < 0 ? text : text.slice(0, equals) + piece.slice(equals + 1);
    parameters.set(key, text);
  }
  return [...parameters.keys()].sort(byCodeUnit).map((key) => parameters.get(key)!).join("&");
}

/** `name=value`, or `name` where the value is empty. */
function rendered(piece: string, equals: number): string {
  if (equals < 0) return piece.toLowerCase();
  const name = piece.slice(0, equals).toLowerCase();
  return equals === piece.length - 1 ? name : name + piece.slice(equals);
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
