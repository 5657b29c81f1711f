/** What is known on this machine about the file that an identity names. */
export type ExeFacts =
  | { readonly kind: "missing" }
  /** Nothing on the way to it belongs to, or can be written by, anybody but root. */
  | { readonly kind: "guarded" }
  /** `place`: the file, or the folder above it, that others can replace or change. */
  | { readonly kind: "writable"; readonly place: string; readonly why: string };

/** Looks at files of this machine. */
export interface ExeInspector {
  /** `path` is absolute. */
  inspect(path: string): ExeFacts;
}

const STICKY = 0o1000;
const MOST_LINKS = 16;

/** What `stat` says, as far as it matters here. */
export interface StatView {
  readonly isSymlink: boolean;
  readonly isDirectory: boolean;
  readonly mode: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
}

/** The file system, as far as it matters here. Both return `null` where there is nothing, or nothing to be seen. */
export interface FileView {
  lstat(path: string): StatView | null;
  readLink(path: string): string | null;
}

/** The file system of this machine. */
export const THIS_MACHINE: FileView = Object.freeze({
  lstat(path: string): StatView | null {
    try {
      return Deno.lstatSync(path);
    } catch {
      return null;
    }
  },
  readLink(path: string): string | null {
    try {
      return Deno.readLinkSync(path);
    } catch {
      return null;
    }
  },
});

/**
 * Says who else than root can change what a path leads to: each folder on the way counts, links are followed. A sticky folder
 * keeps what belongs to root.
 */
export class FileExeInspector implements ExeInspector {
  readonly #files: FileView;

  constructor(files: FileView = THIS_MACHINE) {
    this.#files = files;
  }

  inspect(path: string): ExeFacts {
    let rest = path.split("/").filter((part) => part !== "" && part !== ".");
    let at = "";
    let links = 0;
    const root = this.#files.lstat("/");
    const rootFault = root === null ? null : writableBy(root, "/");
    if (rootFault !== null) return rootFault;
    while (rest.length > 0) {
      const [name = "", ...below] = rest;
      rest = below;
      if (name === "..") {
        at = at.slice(0, at.lastIndexOf("/"));
        continue;
      }
      const here = `${at}/${name}`;
      const stat = this.#files.lstat(here);
      if (stat === null) return { kind: "missing" };
      if (stat.isSymlink) {
        const target = this.#files.readLink(here);
        links++;
        if (target === null || links > MOST_LINKS) return { kind: "missing" };
        // Whoever owns a link in a folder that is guarded can do nothing with it that the folder does not allow.
        rest = [...target.split("/").filter((part) => part !== "" && part !== "."), ...below];
        if (target.startsWith("/")) at = "";
        continue;
      }
      const fault = writableBy(stat, here);
      if (fault !== null) return fault;
      at = here;
    }
    return { kind: "guarded" };
  }
}

function writableBy(stat: StatView, place: string): ExeFacts | null {
  const { mode, uid, gid, isDirectory } = stat;
  if (mode === null) return null;
  const writable = (why: string): ExeFacts => ({ kind: "writable", place, why });
  if (uid !== null && uid !== 0) return writable(`belongs to uid ${uid}`);
  // In a sticky folder what belongs to root stays; what stands in it is looked at next.
  if (isDirectory && (mode & STICKY) !== 0) return null;
  if ((mode & 0o002) !== 0) return writable("can be written by everybody");
  if ((mode & 0o020) !== 0 && gid !== 0) return writable(`can be written by gid ${gid ?? "?"}`);
  return null;
}
