/** The parts of the tree, as far as the rules tell them apart. */
export type Tier =
  | "agent"
  | "domain"
  | "ffi"
  | "free"
  | "operator"
  | "platform"
  | "platform-door"
  | "runtime"
  | "simulator"
  | "wiring";

/** Where a file lives. */
export interface Place {
  readonly tier: Tier;
  /** The folder whose only door is its `mod.ts`, such as `src/agent/proxy`; null for files that live in no room. */
  readonly room: string | null;
}

/** One import, export-from or dynamic import of a literal. */
export interface Import {
  /** As written. */
  readonly specifier: string;
  /** True when nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** Rooms on the path of a request: no package outside the platform's own may slow or surprise them. */
const HOT_ROOMS = new Set(
  ["audit", "caller", "http1", "proxy", "redirector", "upstream"].map((room) =>
    `src/agent/${room}`
  ),
);
/** Built-in modules that compute and do nothing else. */
const PURE_BUILT_INS = new Set(["node:buffer", "node:crypto"]);
/** The one file outside the product that it reads: its version stands there. */
const MANIFEST = "deno.json";
const TESTING_PACKAGES = new Set(["fast-check"]);

/** Places a file by its path, which is relative to the root of the repository and has forward slashes. */
export function placeOf(path: string): Place {
  const [top, second, third, fourth] = path.split("/");
  if (path === "main.ts") return { tier: "wiring", room: null };
  if (top === "ffi") return { tier: "ffi", room: null };
  if (top !== "src" || second === undefined) return { tier: "free", room: null };
  if (third === undefined || second === "commands") return { tier: "wiring", room: null };
  switch (second) {
    case "domain":
    case "agent":
    case "operator":
      return { tier: second, room: fourth === undefined ? null : `src/${second}/${third}` };
    case "simulator":
      return { tier: "simulator", room: "src/simulator" };
    case "runtime":
      return { tier: "runtime", room: null };
    case "platform":
      return fourth === undefined
        ? { tier: "platform-door", room: null }
        : { tier: "platform", room: `src/platform/${third}` };
    default:
      return { tier: "free", room: null };
  }
}

/** What is wrong with `imported` in the file `importer`; null when the table allows it. */
export function judgeImport(importer: string, imported: Import): string | null {
  const from = placeOf(importer);
  if (from.tier === "free") return null;
  return imported.specifier.startsWith(".")
    ? judgeOwn(importer, from, resolve(importer, imported.specifier), imported.typeOnly)
    : judgePackage(from, imported.specifier);
}

function judgeOwn(
  importer: string,
  from: Place,
  target: string,
  typeOnly: boolean,
): string | null {
  const to = placeOf(target);
  if (target === MANIFEST && from.tier === "wiring") return null;
  if (to.tier === "free") return `the product does not depend on \`${topFolder(target)}\``;
  const sameRoom = from.room !== null && from.room === to.room;
  if (sameRoom) {
    return target === `${to.room}/mod.ts` && importer !== target
      ? "files inside a room import each other, not the room's own door"
      : null;
  }
  return forbiddenTier(from, to, target, typeOnly) ?? closedDoor(from, to, target, typeOnly);
}

/** The dependency table: who may know whom. */
function forbiddenTier(from: Place, to: Place, target: string, typeOnly: boolean): string | null {
  const refuse = (allowed: string) => `${from.tier} may import ${allowed}, not \`${target}\``;
  switch (from.tier) {
    case "wiring":
      return to.tier === "platform" ? "only src/platform itself opens a platform's room" : null;
    case "operator":
    case "simulator":
      return ["domain", "runtime", "agent"].includes(to.tier) || from.tier === to.tier
        ? null
        : refuse("domain, runtime and the doors of agent rooms");
    case "platform-door":
      return to.tier === "wiring" ? refuse("the platforms, ffi, runtime and types") : null;
    case "platform":
      if (to.tier === "ffi" || to.tier === "runtime" || to.tier === "platform-door") return null;
      if (to.tier !== "domain" && to.tier !== "agent") {
        return refuse("ffi, runtime, and types of domain and agent");
      }
      return typeOnly ? null : `platform imports types only from ${to.tier}: \`${target}\``;
    case "agent":
      return ["domain", "runtime", "agent"].includes(to.tier)
        ? null
        : refuse("domain, runtime and the doors of other agent rooms");
    case "domain":
      return to.tier === "domain" || target === "src/runtime/result.ts"
        ? null
        : refuse("domain and src/runtime/result.ts");
    case "runtime":
      return to.tier === "runtime" ? null : refuse("runtime alone");
    case "ffi":
      return to.tier === "ffi" ? null : refuse("ffi alone");
    case "free":
      return null;
  }
}

/** A room is entered by its `mod.ts`. Types may be taken from the file that declares them where only types may pass. */
function closedDoor(from: Place, to: Place, target: string, typeOnly: boolean): string | null {
  if (to.room === null || target === `${to.room}/mod.ts`) return null;
  if (to.tier === "domain" || (from.tier === "platform" && typeOnly)) return null;
  return `the only door of ${to.room} is its mod.ts, not \`${target}\``;
}

function judgePackage(from: Place, specifier: string): string | null {
  const builtIn = specifier.startsWith("node:");
  if (builtIn) {
    return from.tier === "domain" && !PURE_BUILT_INS.has(specifier)
      ? `domain may import ${[...PURE_BUILT_INS].join(" and ")}, not \`${specifier}\``
      : null;
  }
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  if (/^[a-z]+:/.test(name)) {
    return `\`${specifier}\` is to be named in the import map, with its version`;
  }
  if (TESTING_PACKAGES.has(name)) return `\`${name}\` is for tests`;
  const hot = ["domain", "ffi", "platform", "runtime"].includes(from.tier) ||
    HOT_ROOMS.has(from.room ?? "");
  return hot ? `no package is imported on the path of a request: \`${specifier}\`` : null;
}

/** The path, relative to the root, that `specifier` means in the file `importer`. */
export function resolve(importer: string, specifier: string): string {
  const parts = importer.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function topFolder(path: string): string {
  return path.split("/")[0] ?? path;
}
