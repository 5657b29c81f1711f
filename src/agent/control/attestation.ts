import { createHash } from "node:crypto";
import type { Sources } from "./sources.ts";

/** A piece of this size is hashed in well below a millisecond. */
const PIECE_BYTES = 262_144;

/** A hash, and the state of the file that it was taken of. */
interface FileHash {
  readonly stamp: string;
  readonly sha256: string;
}

/**
 * What exactly runs, for somebody who wants to compare: the hashes of program and kernel object, the programs in the kernel by
 * their numbers, the policy and the id of the key. Never a part of the key.
 */
export class Attestation {
  readonly #sources: Sources;
  #hash: Promise<FileHash> | null = null;
  #hashed: FileHash | null = null;

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** The document. `sha256` of the program is `null` where its file cannot be read. */
  async document(): Promise<Record<string, unknown>> {
    const { clock, executable, hostClock, isCompiled, redirector, snapshot, version } =
      this.#sources;
    const sha256 = await this.#executableHash().then((hash) => hash.sha256, () => null);
    const { objectSha256, programs } = redirector.identity();
    const { key, policy, channel, targets } = snapshot.get();
    return {
      wallMs: clock.wallMs(),
      hostClockAheadMs: hostClock.skewMs(),
      version,
      executable: { path: executable.path, sha256, holdsTheAgent: isCompiled },
      bpfObject: { sha256: objectSha256, variant: redirector.inspect().variant },
      programs,
      policy: { epoch: policy.epoch, digest: policy.digest, matching: policy.matching },
      targets,
      channel,
      keyId: key?.guid ?? null,
    };
  }

  /** Hashed again only when the file is another one. Two who ask at the same time share one hash. */
  async #executableHash(): Promise<FileHash> {
    const { openPath } = this.#sources.executable;
    const { dev, ino, size, mtime } = await Deno.stat(openPath);
    const stamp = [dev, ino, size, mtime?.getTime()].join(":");
    if (this.#hashed?.stamp === stamp) return this.#hashed;
    this.#hash ??= hashFile(openPath, stamp).finally(() => this.#hash = null);
    return this.#hashed = await this.#hash;
  }
}

async function hashFile(path: string, stamp: string): Promise<FileHash> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const piece = new Uint8Array(PIECE_BYTES);
  for (;;) {
    const bytes = await file.read(piece);
    if (bytes === null) return { stamp, sha256: hash.digest("hex") };
    hash.update(piece.subarray(0, bytes));
  }
}
