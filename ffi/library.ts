/**
 * @module
 * Opens shared libraries. Each function that `Deno.dlopen` binds is compiled on the spot, about a millisecond for each and
 * megabytes of compiler for the first: worth it for what runs with each connection, a tenth of the whole start for
 * everything else. Those functions are bound by their address and called without compilation, 2 us instead of 0.5.
 */
type Functions = Readonly<Record<string, Deno.ForeignFunction>>;

/** What is wanted of a library: `hot` is compiled, `rare` is not. */
export interface Wanted {
  readonly hot: Functions;
  readonly rare: Functions;
}

/** All of them, by name. */
export type Bound<W extends Wanted> = Deno.DynamicLibrary<W["hot"] & W["rare"]>["symbols"];

/** Opens a library that stays open. @throws Error when it, or one of the functions, is not to be found */
export function openLibrary<const W extends Wanted>(name: string, wanted: W): Bound<W> {
  const { symbols } = Deno.dlopen(name, wanted.hot);
  return { ...symbols, ...bindRare(name, wanted.rare) } as Bound<W>;
}

function bindRare(name: string, functions: Functions): Record<string, unknown> {
  const places: Record<string, { readonly type: "pointer" }> = {};
  for (const symbol of Object.keys(functions)) places[symbol] = { type: "pointer" };
  const { symbols } = Deno.dlopen(name, places);
  const bound: Record<string, unknown> = {};
  for (const [symbol, definition] of Object.entries(functions)) {
    const place = symbols[symbol] as Deno.PointerObject<typeof definition>;
    const call = new Deno.UnsafeFnPointer(place, definition);
    bound[symbol] = call.call.bind(call);
  }
  return bound;
}
