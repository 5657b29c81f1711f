import { err, ok, type Result } from "../../runtime/result.ts";
import { classifyAuthority, splitTarget } from "../../domain/canonical/mod.ts";
import { ENDPOINT_NAMES, type EndpointName } from "../../domain/wire/mod.ts";

/** A request from the command line. */
export interface RequestText {
  readonly method: string;
  readonly target: string;
  readonly endpoint: EndpointName;
}

/**
 * Reads a request from the command line: a method, which may be left out for GET, and a URL whose address says which endpoint is
 * meant, or a target as it is sent, together with the endpoint.
 *
 * @param endpoint as named beside it; `null` when it was not
 */
export function requestOfText(
  text: string,
  endpoint: EndpointName | null,
): Result<RequestText, string> {
  const parts = text.trim().split(/ +/);
  if (parts.length > 2 || parts[0] === "") {
    return err(`\`${text}\` is no request; write 'GET http://169.254.169.254/...' (escape blanks)`);
  }
  const [method, written] = parts.length === 2 ? [parts[0]!, parts[1]!] : ["GET", parts[0]!];
  const split = splitTarget(written);
  if (split.form !== "absolute") {
    if (endpoint !== null) return ok({ method, target: written, endpoint });
    return err(
      `\`${written}\` names no endpoint; write a whole URL or --endpoint ${
        ENDPOINT_NAMES.join("|")
      }`,
    );
  }
  const named = classifyAuthority(split.authority);
  if (!named.ok) return err(`\`${split.authority}\` is no host (${named.error})`);
  if (named.value.kind === "unknown") {
    return err(
      `\`${split.authority}\` is no endpoint; the addresses are 169.254.169.254 (imds), ` +
        "168.63.129.16 (wireserver) and 168.63.129.16:32526 (hostga)",
    );
  }
  if (endpoint !== null && endpoint !== named.value.kind) {
    return err(`the URL names ${named.value.kind} and --endpoint ${endpoint}; leave one out`);
  }
  const target = split.path + (split.query === null ? "" : `?${split.query}`);
  return ok({ method, target, endpoint: named.value.kind });
}
