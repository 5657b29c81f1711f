/**
 * The whole target of the one client that is known to escape its question mark, an agent of scale sets that asks for
 * scheduled events. Every character counts; only the date may differ.
 */
const KNOWN_TARGET = /^\/metadata\/scheduledevents%3Fapi-version=[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const KNOWN_TARGET_LENGTH = "/metadata/scheduledevents%3Fapi-version=2019-08-01".length;

/**
 * Whether a request is the one of that client. IMDS serves it, but its path holds an escaped `?`, which has no canonical
 * form and is no strict target. In `enforce` it is judged as `withQueryMark()` writes it, so it needs the same grant as a
 * well-formed request for the same thing, and it is forwarded as it came. DEVIATION D-84.
 * Source: authorization 3.14 and W-13, item 2.
 */
export function isKnownEmbeddedQueryClient(method: string, target: string): boolean {
  return target.length === KNOWN_TARGET_LENGTH && method === "GET" && KNOWN_TARGET.test(target);
}

/** The target of that client with its `%3F` read as the `?` that is meant. Any other target comes back as it is. */
export function withQueryMark(target: string): string {
  return KNOWN_TARGET.test(target) ? target.replace("%3F", "?") : target;
}
