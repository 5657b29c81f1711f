/** Where a command writes. The texts carry their own line ends. */
export interface CommandOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Writes to the standard streams. A reader that went away does not stop a command. */
export const STANDARD_OUTPUT: CommandOutput = Object.freeze({
  out: (text: string) => writeAll(Deno.stdout, text),
  err: (text: string) => writeAll(Deno.stderr, text),
});

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
