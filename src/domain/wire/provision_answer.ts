import type { Result } from "../../runtime/result.ts";
import { type DocumentFault, readDocument } from "./document_reader.ts";
import { moduleMessage } from "./module_message.ts";

/** A part that has to be ready before provisioning counts as finished, and what it says while it is not. */
export interface MissingPart {
  readonly part: "ebpfProgramStatus" | "keyLatchStatus" | "proxyListenerStatus";
  readonly message: string;
}

/** What `/provision` answers. */
export interface ProvisionAnswer {
  readonly finished: boolean;
  /** `""` when every part is ready; filled independently of `finished`. */
  readonly errorMessage: string;
}

/** The text about the missing parts, a line each, ended by CR LF. Source: wire-protocol 10.2. */
export function provisionErrorMessage(missing: readonly MissingPart[]): string {
  return missing.map(({ part, message }) => `${part} - ${moduleMessage(oneLine(message))}\r\n`)
    .join("");
}

/** What a text that `provisionErrorMessage` made tells; lines of another make are left out. */
export function missingPartsOf(errorMessage: string): MissingPart[] {
  return errorMessage.split("\r\n").flatMap((line) => {
    const [, part, message = ""] =
      /^(ebpfProgramStatus|keyLatchStatus|proxyListenerStatus) - (.*)$/.exec(line) ?? [];
    return part === undefined ? [] : [{ part: part as MissingPart["part"], message }];
  });
}

/** What a part says may hold the tail of another program's output. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}

/** The answer as compact JSON. Source: wire-protocol 10.2. */
export function provisionAnswerText(answer: ProvisionAnswer): string {
  return JSON.stringify({ finished: answer.finished, errorMessage: answer.errorMessage });
}

/** Parses an answer, as the command line gets it. */
export function parseProvisionAnswer(text: string): Result<ProvisionAnswer, DocumentFault> {
  return readDocument(text, (root) => {
    const finished = root.optionalBoolean("finished");
    const errorMessage = root.string("errorMessage");
    if (finished === null) return root.refuseMissing("finished");
    return { finished, errorMessage };
  });
}

/**
 * The tick of a provision query in unix nanoseconds: a signed decimal integer of 128 bits.
 * Returns 0 when the header is missing or is no such number. Source: wire-protocol 10.2.
 */
export function queryTick(header: string | null): bigint {
  if (header === null || !/^[+-]?[0-9]{1,39}$/.test(header)) return 0n;
  const tick = BigInt(header.startsWith("+") ? header.slice(1) : header);
  return BigInt.asIntN(128, tick) === tick ? tick : 0n;
}
