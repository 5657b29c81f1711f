import { err, ok, type Result } from "../../runtime/result.ts";

declare const hostDate: unique symbol;
/** A date as the host reads it: `Www, DD Mon YYYY HH:MM:SS GMT`. Only `formatHostDate` makes it. */
export type HostDate = string & { readonly [hostDate]: true };

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
] as const;

/** Last millisecond of the year 9999: the format has four digits for the year. */
const LAST_MS = 253_402_300_799_999;
const FIRST_MS = -62_167_219_200_000;

/** Writes `unixMs` (milliseconds since the epoch, cut to the second, kept within the years 0 to 9999). Source: wire-protocol 2.1. */
export function formatHostDate(unixMs: number): HostDate {
  const date = new Date(Math.min(Math.max(Math.floor(unixMs), FIRST_MS), LAST_MS));
  const weekday = WEEKDAYS[date.getUTCDay()]!;
  const month = MONTHS[date.getUTCMonth()]!;
  const year = String(date.getUTCFullYear()).padStart(4, "0");
  const day = twoDigits(date.getUTCDate());
  const hour = twoDigits(date.getUTCHours());
  const minute = twoDigits(date.getUTCMinutes());
  const second = twoDigits(date.getUTCSeconds());
  return `${weekday}, ${day} ${month} ${year} ${hour}:${minute}:${second} GMT` as HostDate;
}

const SYNTAX =
  /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), (\d{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;

/**
 * Reads exactly the format above and nothing else; the weekday must be an abbreviation but is not compared with the date.
 * The result is in milliseconds since the epoch. Source: wire-protocol 2.1.
 */
export function parseHostDate(text: string): Result<number, "HOST_DATE_SYNTAX"> {
  const match = text.length === 29 ? SYNTAX.exec(text) : null;
  if (match === null) return err("HOST_DATE_SYNTAX");
  const day = Number(match[1]);
  const month = (MONTHS as readonly string[]).indexOf(match[2]!);
  const year = Number(match[3]);
  const hour = Number(match[4]);
  const minute = Number(match[5]);
  const second = Number(match[6]);
  if (hour > 23 || minute > 59 || second > 59) return err("HOST_DATE_SYNTAX");
  // setUTCFullYear, because Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  // A day that the month does not have moves the date into another month, where the day is another.
  if (date.getUTCDate() !== day) return err("HOST_DATE_SYNTAX");
  date.setUTCHours(hour, minute, second, 0);
  return ok(date.getTime());
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
