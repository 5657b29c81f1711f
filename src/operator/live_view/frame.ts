import { escapeUnsafe } from "../../runtime/log_line.ts";
import type { TallyRow } from "./tally.ts";

/** What the head of the view tells of the agent. */
export interface AgentFacts {
  readonly version: string;
  readonly upMs: number;
  readonly connections: number;
  readonly rssBytes: number;
  /** Parts that do not run, with what they say. */
  readonly troubles: readonly string[];
}

export interface FrameOptions {
  /** Characters of a line; longer ones are cut. */
  readonly columns: number;
  /** Lines of the frame at most. */
  readonly lines: number;
  readonly colour: boolean;
  /** How long the recent requests were counted. */
  readonly intervalMs: number;
  /** `null` while the agent does not answer. */
  readonly agent: AgentFacts | null;
  /** A word about the view itself, such as lost decisions; `""` for none. */
  readonly notice: string;
}

/** Reads what the head shows from the answer of `/v1/status`. Members that are missing or of another type count as nothing. */
export function factsOf(status: unknown): AgentFacts {
  const root = object(status);
  const troubles = Object.entries(object(root["parts"])).flatMap(([part, facts]) => {
    const { state, message } = object(facts);
    return state === "STOPPED" ? [`${part}: ${String(message)}`] : [];
  });
  return {
    version: String(root["version"] ?? ""),
    upMs: number(root["wallMs"]) - number(root["startedWallMs"]),
    connections: number(root["connections"]),
    rssBytes: number(object(root["memory"])["rss"]),
    troubles,
  };
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly alignRight?: boolean;
  /** The column with the highest number is the first to go where the terminal is narrow. */
  readonly drop: number;
  text(row: TallyRow, intervalMs: number): string;
}

const COLUMNS: readonly Column[] = Object.freeze([
  {
    title: "REQ/S",
    width: 8,
    alignRight: true,
    drop: 0,
    text: ({ recent }, intervalMs) => (recent * 1000 / intervalMs).toFixed(1),
  },
  { title: "TOTAL", width: 8, alignRight: true, drop: 5, text: ({ total }) => String(total) },
  {
    title: "MEAN MS",
    width: 8,
    alignRight: true,
    drop: 6,
    text: ({ meanUs, recent }) => recent === 0 ? "-" : (meanUs / 1000).toFixed(2),
  },
  { title: "USER", width: 10, drop: 2, text: ({ user, uid }) => user ?? String(uid ?? "-") },
  { title: "PROCESS", width: 18, drop: 1, text: processText },
  { title: "ENDPOINT", width: 10, drop: 3, text: ({ endpoint }) => endpoint ?? "-" },
  { title: "VERDICT", width: 22, drop: 0, text: verdictText },
  {
    title: "LAST REQUEST",
    width: 24,
    drop: 7,
    text: ({ lastStatus, lastTarget }) => `${lastStatus} ${lastTarget}`,
  },
]);

/** The view as lines, at most `lines` of them and none wider than `columns`. */
export function frameText(rows: readonly TallyRow[], options: FrameOptions): string[] {
  const { agent, colour, columns, intervalMs, lines, notice } = options;
  const shown = columnsFor(columns);
  const recent = rows.reduce((sum, row) => sum + row.recent, 0);
  const head = [headText(agent, recent * 1000 / intervalMs)];
  for (const trouble of agent?.troubles ?? []) head.push(paint(`! ${trouble}`, RED, options));
  if (notice !== "") head.push(paint(notice, YELLOW, options));
  const title = lineOf(shown, columns, ({ title }) => title);
  const body = rows.map((row) =>
    paint(
      lineOf(shown, columns, (column) => column.text(row, intervalMs)),
      COLOUR_OF_VERDICT[row.verdict] ?? "",
      options,
    )
  );
  if (body.length === 0) body.push("no requests yet");
  return [
    ...head.map((line) => cut(line, columns, colour)),
    "",
    paint(title, BOLD, options),
    ...body.map((line) => cut(line, columns, colour)),
  ].slice(0, Math.max(1, lines));
}

function headText(agent: AgentFacts | null, perSecond: number): string {
  if (agent === null) return "azure-proxy-agent does not answer";
  const { connections, rssBytes, upMs, version } = agent;
  return `azure-proxy-agent ${version}  up ${durationText(upMs)}  ${perSecond.toFixed(1)} req/s  ` +
    `${connections} connections  ${Math.round(rssBytes / 1e6)} MB`;
}

function durationText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 1) return `${minutes}m`;
  return hours < 24 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/** A program whose executable is not proven has a question mark behind its name. */
function processText({ exe, exeVerified }: TallyRow): string {
  if (exe === null) return "-";
  const name = exe.slice(exe.lastIndexOf("/") + 1);
  return exeVerified === false ? `${name}?` : name;
}

function verdictText({ verdict, reason }: TallyRow): string {
  return reason === null ? verdict : `${verdict} ${reason}`;
}

/** Characters with which the last column still says something. */
const LEAST_OF_THE_LAST = 10;

/** The columns that fit; the last of them takes what is left. */
function columnsFor(width: number): readonly Column[] {
  const shown = [...COLUMNS];
  const needed = () =>
    shown.slice(0, -1).reduce((sum, column) => sum + column.width + 1, LEAST_OF_THE_LAST);
  while (shown.length > 2 && needed() > width) {
    const first = shown.reduce((most, column) => column.drop > most.drop ? column : most);
    shown.splice(shown.indexOf(first), 1);
  }
  return shown;
}

function lineOf(
  shown: readonly Column[],
  width: number,
  text: (column: Column) => string,
): string {
  const cells = shown.map((column, index) => {
    // What callers are called and ask for is theirs to choose: no control character reaches the terminal.
    const characters = [...escapeUnsafe(text(column))];
    if (index === shown.length - 1) return characters.join("");
    const cell = characters.slice(0, column.width).join("");
    return column.alignRight === true ? cell.padStart(column.width) : cell.padEnd(column.width);
  });
  return [...cells.join(" ")].slice(0, width).join("").trimEnd();
}

const BOLD = "1";
const RED = "31";
const YELLOW = "33";
const COLOUR_OF_VERDICT: Readonly<Record<string, string>> = Object.freeze({
  deny: RED,
  error: "35",
  flag: YELLOW,
});

function paint(text: string, code: string, { colour, columns }: FrameOptions): string {
  const plain = [...escapeUnsafe(text)].slice(0, columns).join("");
  return colour && code !== "" ? `\x1b[${code}m${plain}\x1b[0m` : plain;
}

/** Painted lines were cut before they were painted. */
function cut(line: string, width: number, colour: boolean): string {
  return colour && line.startsWith("\x1b") ? line : [...line].slice(0, width).join("");
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
