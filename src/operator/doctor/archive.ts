/** One file of an archive. */
export interface ArchiveEntry {
  /** At most 99 bytes, without a slash at the beginning. */
  readonly name: string;
  readonly text: string;
}

/** The entries as a gzipped tar archive. All belong to root, 0600, and were changed at `wallMs`. */
export async function packArchive(
  entries: readonly ArchiveEntry[],
  wallMs: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // Loaded here: the checks need no package.
  const { createTar } = await import("nanotar");
  const attrs = { mode: "600", uid: 0, gid: 0, user: "root", group: "root", mtime: wallMs };
  const tar = createTar(
    entries.map(({ name, text }) => ({ name, data: new TextEncoder().encode(text), attrs })),
  );
  const zipped = new Blob([Uint8Array.from(tar)]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(zipped).arrayBuffer());
}
