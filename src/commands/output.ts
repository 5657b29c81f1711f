/** Where a command writes. The texts carry their own line ends. */
export interface CommandOutput {
  out(text: string): void;
  err(text: string): void;
  /** Fires when whoever reads `out` is found to have gone: what would go on for ever ends then. */
  readonly readerGone: AbortSignal;
}

/** The standard streams. A reader that went away does not stop a command that ends by itself. */
export function standardOutput(): CommandOutput {
  const gone = new AbortController();
  return {
    out: (text) => writeAll(Deno.stdout, text) ? undefined : gone.abort(),
    err: (text) => void writeAll(Deno.stderr, text),
    readerGone: gone.signal,
  };
}

/** Returns whether anybody reads. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): boolean {
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}
