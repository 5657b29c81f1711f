/** An answer of the control socket, or none, that is no success. The message is for people. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  constructor(
    message: string,
    /** HTTP status; 0 when there was no answer. */
    readonly status: number,
    options: ErrorOptions = {},
  ) {
    super(message, options);
  }
}

/** The host of the addresses. It is in no use, but a name would be looked up, for ten seconds where there is no resolver. */
const NOBODY = "127.0.0.1";
/** A line of a stream of decisions that is longer is none of the agent's. */
const LONGEST_LINE = 65_536;
/** An answer that takes longer does not come. Streams have no limit but the caller's signal. */
const ANSWER_LIMIT_MS = 15_000;

/** Asks a running agent over its control socket. */
export class ControlClient implements Disposable {
  readonly #path: string;
  readonly #client: Deno.HttpClient;

  constructor(path: string) {
    this.#path = path;
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  }

  /** The answer as text, within 15 s unless `signal` says otherwise. @throws ControlError */
  async text(path: string, signal = AbortSignal.timeout(ANSWER_LIMIT_MS)): Promise<string> {
    return await this.#textOf(await this.#ask(path, signal));
  }

  /** The answer as a value. @throws ControlError */
  async json(path: string, signal?: AbortSignal): Promise<unknown> {
    return parsed(await this.text(path, signal));
  }

  /** The lines of a stream as values, until it or `signal` ends it. @throws ControlError */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<Record<string, unknown>> {
    const answer = await this.#ask(path, signal);
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const piece of answer.body ?? []) {
        const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > LONGEST_LINE) throw new ControlError("a line is too long", 0);
        for (const line of lines) yield parsed(line) as Record<string, unknown>;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ControlError ? error : this.#away(error);
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #ask(path: string, signal: AbortSignal): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(`http://${NOBODY}${path}`, { client: this.#client, signal });
    } catch (error) {
      throw this.#away(error);
    }
    if (answer.ok) return answer;
    const text = await this.#textOf(answer);
    throw new ControlError(errorOf(text) ?? `the agent answered ${answer.status}`, answer.status);
  }

  async #textOf(answer: Response): Promise<string> {
    try {
      return await answer.text();
    } catch (error) {
      throw this.#away(error);
    }
  }

  #away(cause: unknown): ControlError {
    const isLate = cause instanceof DOMException && cause.name === "TimeoutError";
    const message = isLate
      ? `The agent at ${this.#path} does not answer in time: it hangs or is stopped. See doctor.`
      : `No agent answers at ${this.#path}. Is it running, are you root, and is ` +
        "`controlSocket` of its configuration this path?";
    return new ControlError(message, 0, { cause });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ControlError("The answer is no JSON: another program serves the socket", 0, {
      cause,
    });
  }
}

function errorOf(text: string): string | null {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    return typeof error === "string" ? error : null;
  } catch {
    return null;
  }
}
