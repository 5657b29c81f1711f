import { err, ok, type Result } from "../../runtime/result.ts";

/** A decoded body, and how its content type says it is to be read. */
export interface DecodedBody {
  readonly syntax: "json" | "xml";
  readonly text: string;
}

/**
 * Decodes the whole body of a host's answer. `contentType` is the header's value, `null` when there is none.
 * Malformed sequences become U+FFFD. One leading byte order mark is dropped before XML and UTF-16; before other JSON it stays, where
 * the parser refuses it. Source: wire-protocol 2.2 and S-8, authorization 1.2.
 */
export function decodeBody(
  contentType: string | null,
  body: Uint8Array,
): Result<DecodedBody, "CHARSET_UNSUPPORTED"> {
  const type = (contentType ?? "").toLowerCase();
  const syntax = type.includes("xml") ? "xml" : "json";
  if (!type.includes("utf-8")) {
    if (type.includes("utf-16")) {
      return ok({ syntax, text: new TextDecoder("utf-16le").decode(body) });
    }
    if (type.includes("utf-32")) return err("CHARSET_UNSUPPORTED");
  }
  return ok({
    syntax,
    text: new TextDecoder("utf-8", { ignoreBOM: syntax === "json" }).decode(body),
  });
}
