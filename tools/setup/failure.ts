/** One thing that is wrong with the machine, and what mends it. */
export interface Problem {
  readonly reason: string;
  readonly remedy: string;
}

/** Something a person has to mend before the tools can go on. */
export class SetupError extends Error {
  override readonly name = "SetupError";
  constructor(readonly problems: readonly [Problem, ...Problem[]]) {
    super(problems.map((problem) => problem.reason).join("; "));
  }

  /** An error with a single cause. */
  static of(reason: string, remedy: string): SetupError {
    return new SetupError([{ reason, remedy }]);
  }
}

/** The work was stopped by SIGINT or SIGTERM; everything it had started has been ended. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  constructor(readonly signal: Deno.Signal) {
    super(`stopped by ${signal}`);
  }
}

/** What a person reads when a tool ends early: each cause with its remedy. */
export function explain(error: SetupError): string {
  return error.problems
    .map(({ reason, remedy }) => `cannot go on: ${reason}\n      remedy: ${remedy}`)
    .join("\n");
}

/**
 * Runs a tool and ends the process with its exit code: 1 after a {@link SetupError}, which is explained without a
 * stack, 130 or 143 after an interruption. Any other exception is a bug and keeps its stack.
 */
export async function runTool(tool: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await tool());
  } catch (error) {
    if (error instanceof Interrupted) {
      console.error(error.message);
      Deno.exit(error.signal === "SIGINT" ? 130 : 143);
    }
    if (!(error instanceof SetupError)) throw error;
    console.error(explain(error));
    Deno.exit(1);
  }
}
