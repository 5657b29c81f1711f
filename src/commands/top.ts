import type { DecisionLine } from "../agent/control/mod.ts";
import {
  type AgentFacts,
  ControlClient,
  ControlError,
  factsOf,
  frameText,
  Tally,
  type TallyRow,
} from "../operator/live_view/mod.ts";
import type { Clock } from "../runtime/clock.ts";
import { SystemClock } from "../runtime/system_clock.ts";
import { controlSocketOf } from "./control_socket.ts";
import { SURROUNDINGS, type Surroundings } from "./surroundings.ts";
import { misused, parseOptions } from "./options.ts";
import type { CommandOutput } from "./output.ts";

const USAGE = `Usage: azure-proxy-agent top [options]

Shows live who calls what, how fast and with what verdict. It asks the running agent over its control socket, as root; the agent
does not wait for it. q ends it.

  --once            watch for one interval, print the table once and end
  --json            objects in place of a table: one with --once, else one each interval
  --interval S      seconds between two tables, 1 to 60; default 1, with --once 2
  --no-colour       as does the environment variable NO_COLOR
  --socket PATH     the agent's socket
  --config FILE     the configuration that names it
  -h, --help

Exit codes: 0 done, 1 the agent does not answer, 2 wrong usage.
`;

/** Where the table is shown. */
export interface Screen {
  /** Whether a person looks: then the table is drawn again and again in its place. */
  readonly isTerminal: boolean;
  readonly wantsColour: boolean;
  size(): { readonly columns: number; readonly lines: number };
  /** Begins to hand single keys over until `signal` fires. */
  keys(onKey: (key: string) => void, signal: AbortSignal): void;
  /** Gives the keyboard back. */
  release(): void;
}

export interface TopContext extends Surroundings {
  readonly clock: Clock;
  readonly screen: Screen;
}

const PLAIN_SIZE = { columns: 160, lines: 200 };
/** Without a cursor, and without wrapping: characters may be wider than they are counted. */
const TO_ALTERNATE = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const FROM_ALTERNATE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const REST_OF_LINE = "\x1b[K";
const REST_OF_SCREEN = "\x1b[J";
const RECONNECT_MS = 1_000;
/** An agent that is well tells its status within milliseconds. */
const STATUS_LIMIT_MS = 3_000;
/** How long a notice stays at least. */
const NOTICE_MS = 5_000;
const LOST = "the agent dropped this view as too slow; some requests are missing";

interface TopRequest {
  readonly once: boolean;
  readonly json: boolean;
  readonly intervalMs: number;
  readonly colour: boolean;
  readonly socket: string | null;
  readonly config: string | null;
}

/** Runs `top`. Returns the exit code. `stop` ends it as `q` does. */
export async function topCommand(
  args: readonly string[],
  output: CommandOutput,
  stop: AbortSignal,
  context: TopContext = ownTerminal(),
): Promise<0 | 1 | 2> {
  const request = parse(args, context.screen);
  if (request === "help") {
    output.out(USAGE);
    return 0;
  }
  if (typeof request === "string") return misused(request, USAGE, output);
  const socket = await controlSocketOf(request, context);
  if ("error" in socket) {
    output.err(`${socket.error}\n`);
    return 1;
  }
  using client = new ControlClient(socket.path);
  try {
    // Whether there is an agent at all is said at once, and not inside a table.
    await client.json("/v1/status", AbortSignal.timeout(STATUS_LIMIT_MS));
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    output.err(`${error.message}\n`);
    return 1;
  }
  const end = AbortSignal.any([stop, output.readerGone]);
  return await new TopView(client, request, output, context).run(end);
}

/** Watches, and shows what was seen each interval. */
class TopView {
  readonly #client: ControlClient;
  readonly #request: TopRequest;
  readonly #output: CommandOutput;
  readonly #context: TopContext;
  readonly #tally = new Tally();
  #notice = "";
  #noticeUntilMs = 0;

  constructor(
    client: ControlClient,
    request: TopRequest,
    output: CommandOutput,
    context: TopContext,
  ) {
    this.#client = client;
    this.#request = request;
    this.#output = output;
    this.#context = context;
  }

  async run(stop: AbortSignal): Promise<0> {
    const { clock, screen } = this.#context;
    const { intervalMs, json, once } = this.#request;
    const isLive = screen.isTerminal && !once && !json;
    const end = new AbortController();
    stop.addEventListener("abort", () => end.abort(), { once: true });
    if (stop.aborted) end.abort();
    const watching = this.#watch(end.signal);
    if (isLive) {
      screen.keys((key) => {
        if (key === "q" || key === "Q" || key === "\x03") end.abort();
      }, end.signal);
      this.#output.out(TO_ALTERNATE);
    }
    try {
      if (isLive) await this.#show(intervalMs, true, end.signal);
      for (let fromMs = clock.monotonicMs(); !end.signal.aborted;) {
        await clock.sleep(intervalMs, end.signal);
        const nowMs = clock.monotonicMs();
        if (end.signal.aborted && !once) break;
        await this.#show(Math.max(1, nowMs - fromMs), isLive, end.signal);
        fromMs = nowMs;
        if (once) end.abort();
      }
    } finally {
      end.abort();
      if (isLive) {
        this.#output.out(FROM_ALTERNATE);
        screen.release();
      }
    }
    await watching;
    return 0;
  }

  /** Counts what comes, for as long as it takes; an agent that is away is asked again each second. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const line of this.#client.lines("/v1/decisions", signal)) {
          if (line["kind"] === "decision") this.#tally.add(line as unknown as DecisionLine);
          if (line["kind"] === "dropped") this.#say(LOST);
        }
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
        this.#say(error.message);
      }
      await this.#context.clock.sleep(RECONNECT_MS, signal);
    }
  }

  #say(notice: string): void {
    this.#notice = notice;
    this.#noticeUntilMs = this.#context.clock.monotonicMs() + NOTICE_MS;
  }

  async #show(intervalMs: number, isLive: boolean, signal: AbortSignal): Promise<void> {
    const { clock, screen } = this.#context;
    const agent = await this.#facts(signal);
    if (signal.aborted && isLive) return;
    const rows = this.#tally.take();
    if (this.#request.json) {
      return this.#output.out(`${JSON.stringify(this.#document(rows, agent, intervalMs))}\n`);
    }
    const size = screen.isTerminal ? screen.size() : PLAIN_SIZE;
    const lines = frameText(rows, {
      ...size,
      colour: this.#request.colour,
      intervalMs,
      agent,
      notice: this.#notice,
    });
    if (!isLive) return this.#output.out(lines.map((line) => `${line}\n`).join(""));
    const drawn = lines.map((line) => line + REST_OF_LINE).join("\r\n");
    this.#output.out(HOME + drawn + REST_OF_SCREEN);
    if (clock.monotonicMs() > this.#noticeUntilMs) this.#notice = "";
  }

  async #facts(signal: AbortSignal): Promise<AgentFacts | null> {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(STATUS_LIMIT_MS)]);
      return factsOf(await this.#client.json("/v1/status", limit));
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      return null;
    }
  }

  #document(
    rows: readonly TallyRow[],
    agent: AgentFacts | null,
    intervalMs: number,
  ): Record<string, unknown> {
    const { clock } = this.#context;
    const recent = rows.reduce((sum, row) => sum + row.recent, 0);
    return {
      wallMs: clock.wallMs(),
      intervalMs: Math.round(intervalMs),
      agent,
      requests: recent,
      notice: this.#notice === "" ? null : this.#notice,
      rows,
    };
  }
}

/** Returns `help`, or what is wrong, in place of a request. */
function parse(args: readonly string[], screen: Screen): TopRequest | string {
  const { isTerminal, wantsColour } = screen;
  const parsed = parseOptions(args, {
    once: { type: "boolean" },
    json: { type: "boolean" },
    interval: { type: "string" },
    "no-colour": { type: "boolean" },
    "no-color": { type: "boolean" },
    socket: { type: "string" },
    config: { type: "string" },
  });
  if (!parsed.ok) return parsed.error;
  const { flag, positionals: [odd], text } = parsed.value;
  if (flag("help")) return "help";
  if (odd !== undefined) return `\`top\` does not know \`${odd}\``;
  const json = flag("json");
  // Nobody presses q where no person looks: then one table is all that can be meant.
  const once = flag("once") || (!isTerminal && !json);
  const interval = text("interval") ?? (once ? "2" : "1");
  if (!/^[1-9]\d?$/.test(interval) || Number(interval) > 60) {
    return "`--interval` wants a whole number of seconds from 1 to 60";
  }
  const isPlain = flag("no-colour") || flag("no-color");
  const colour = isTerminal && wantsColour && !isPlain;
  return {
    once,
    json,
    intervalMs: Number(interval) * 1000,
    colour,
    socket: text("socket"),
    config: text("config"),
  };
}

function ownTerminal(): TopContext {
  return { ...SURROUNDINGS, clock: new SystemClock(), screen: terminalScreen() };
}

/** The terminal of the process. */
function terminalScreen(): Screen {
  return {
    get isTerminal() {
      return Deno.stdout.isTerminal();
    },
    get wantsColour() {
      return Deno.env.get("NO_COLOR") === undefined && Deno.env.get("TERM") !== "dumb";
    },
    size: () => {
      // A terminal that nobody told its size says 0.
      const { columns, rows } = Deno.consoleSize();
      return { columns: columns || 80, lines: rows || 24 };
    },
    keys: (onKey, signal) => {
      if (!Deno.stdin.isTerminal()) return;
      Deno.stdin.setRaw(true);
      const read = async () => {
        const piece = new Uint8Array(64);
        while (!signal.aborted) {
          const bytes = await Deno.stdin.read(piece);
          if (bytes === null) return;
          for (const key of new TextDecoder().decode(piece.subarray(0, bytes))) onKey(key);
        }
      };
      read();
    },
    release: () => {
      if (Deno.stdin.isTerminal()) Deno.stdin.setRaw(false);
    },
  };
}
