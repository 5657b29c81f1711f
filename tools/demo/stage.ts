/** How one step of the demo went. */
export interface StepReport {
  /** What happened, one line each. */
  readonly happened: readonly string[];
  /** What must be true, and whether it was. */
  readonly checks: readonly { readonly what: string; readonly holds: boolean }[];
}

/** Collects what a step has to say while it runs. */
export class Step {
  readonly #happened: string[] = [];
  readonly #checks: { what: string; holds: boolean }[] = [];

  /** Notes something that happened. */
  say(line: string): void {
    this.#happened.push(line);
  }

  /** Notes something that must be true. */
  check(what: string, holds: boolean): void {
    this.#checks.push({ what, holds });
  }

  get report(): StepReport {
    return { happened: this.#happened, checks: this.#checks };
  }
}

/** Runs steps one after the other and prints each as it ends. */
export class Stage {
  #number = 0;
  #crosses = 0;

  constructor(readonly print: (line: string) => void) {}

  /** Number of things that did not hold. */
  get crosses(): number {
    return this.#crosses;
  }

  /** Runs one step. An exception counts as a cross. */
  async step(title: string, play: (step: Step) => Promise<void>): Promise<void> {
    this.print(`\n${++this.#number}. ${title}`);
    const step = new Step();
    try {
      await play(step);
    } catch (error) {
      step.check(error instanceof Error ? error.message : String(error), false);
    }
    const { happened, checks } = step.report;
    for (const line of happened) this.print(`     ${line}`);
    for (const { what, holds } of checks) {
      if (!holds) this.#crosses++;
      this.print(`   ${holds ? "✓" : "✗"} ${what}`);
    }
  }
}
