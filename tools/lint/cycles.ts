import { placeOf, resolve } from "./table.ts";

/** Circles between rooms below `root`, each as one line `a -> b -> a`; types count, because a reader follows them too. */
export function findCycles(root: string): string[] {
  const edges = new Map<string, Set<string>>();
  for (const file of sourceFiles(root)) {
    addEdges(edges, file, Deno.readTextFileSync(file));
  }
  return circles(edges);
}

/** Adds an edge for each room that the source text of `file` imports from. */
export function addEdges(edges: Map<string, Set<string>>, file: string, source: string): void {
  const from = placeOf(file).room;
  if (from === null || !from.startsWith("src/agent/")) return;
  for (const match of source.matchAll(/^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+)"/gms)) {
    const to = placeOf(resolve(file, match[1] ?? "")).room;
    if (to === null || to === from || !to.startsWith("src/agent/")) continue;
    const known = edges.get(from);
    if (known === undefined) edges.set(from, new Set([to]));
    else known.add(to);
  }
}

/** Each circle once, starting at its alphabetically first room. */
export function circles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const found = new Set<string>();
  const walk = (trail: readonly string[]) => {
    const last = trail.at(-1) ?? "";
    for (const next of edges.get(last) ?? []) {
      if (next === trail[0]) found.add([...trail, next].join(" -> "));
      else if (next > (trail[0] ?? "") && !trail.includes(next)) walk([...trail, next]);
    }
  };
  for (const room of edges.keys()) walk([room]);
  return [...found].sort();
}

function sourceFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return sourceFiles(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}
