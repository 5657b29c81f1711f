import { Buffer } from "node:buffer";
import type { SecretKey } from "../domain/endorsement/mod.ts";

/**
 * What a request's signature covers, rebuilt from the bytes that arrived. Written apart from the agent's own
 * canonicalisation on purpose: where the two disagree, a test that runs one against the other fails. Only the HMAC itself,
 * which published vectors hold, is the agent's.
 */
interface SignedText {
  /** Method and its line feed; the body follows. */
  readonly beforeBody: string;
  /** Line feed after the body, header lines, path, line feed, query. */
  readonly afterBody: string;
}

const AUTHORIZATION = "x-ms-azure-host-authorization";

/**
 * Lower-case hex HMAC-SHA-256 of the request in `rawHead` (one character per byte, blank line included) and `body`
 * (without transfer coding). Source: wire-protocol 5.1 to 5.5.
 */
export function signatureOf(rawHead: Uint8Array, body: Uint8Array, key: SecretKey): string {
  return key.mac(bytesToSign(rawHead, body));
}

/** What the signature covers, as bytes. */
export function bytesToSign(rawHead: Uint8Array, body: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = rawHead;
  const text = signedText(Buffer.from(buffer, byteOffset, byteLength).toString("latin1"));
  const before = text.beforeBody.length;
  const bytes = Buffer.allocUnsafe(before + body.length + text.afterBody.length);
  bytes.write(text.beforeBody, "latin1");
  bytes.set(body, before);
  bytes.write(text.afterBody, before + body.length, "latin1");
  return bytes;
}

function signedText(head: string): SignedText {
  const lines = head.split("\r\n");
  const [method = "", target = ""] = (lines[0] ?? "").split(" ");
  const fields = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const name = line.slice(0, colon).toLowerCase();
    if (name !== AUTHORIZATION) fields.set(name, trimBlanks(line.slice(colon + 1)));
  }
  let headers = "";
  for (const name of [...fields.keys()].sort()) headers += `${name}:${fields.get(name)!}\n`;
  const { path, query } = splitTarget(target);
  return {
    beforeBody: `${method}\n`,
    afterBody: `\n${headers}${path}\n${canonicalQuery(query)}`,
  };
}

/** Path and query of a request target in any of its forms. Source: wire-protocol 5.3. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const fragment = target.indexOf("#");
  const bare = fragment === -1 ? target : target.slice(0, fragment);
  const mark = bare.indexOf("?");
  const query = mark === -1 ? "" : bare.slice(mark + 1);
  let path = mark === -1 ? bare : bare.slice(0, mark);
  if (!path.startsWith("/") && path !== "*") {
    const authority = path.indexOf("://");
    if (authority === -1) return { path: "", query };
    const slash = path.indexOf("/", authority + 3);
    path = slash === -1 ? "/" : path.slice(slash);
  }
  return { path, query };
}

function canonicalQuery(query: string): string {
  const pairs = new Map<string, string>();
  for (const piece of query.split("&")) {
    const equals = piece.indexOf("=");
    const name = (equals === -1 ? piece : piece.slice(0, equals)).toLowerCase();
    const value = equals === -1 ? "" : piece.slice(equals + 1);
    if (name !== "") pairs.set(name + value, value === "" ? name : `${name}=${value}`);
  }
  return [...pairs.keys()].sort().map((key) => pairs.get(key)!).join("&");
}

function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
