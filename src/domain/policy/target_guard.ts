import {
  checkTarget,
  classifyAuthority,
  isTraversal,
  namesOtherDestination,
  type RawTarget,
  splitTarget,
} from "../canonical/mod.ts";
import { isMethod, type Method } from "../wire/client_request.ts";
import type { EndpointName } from "../wire/endpoints.ts";
import type { Refusal } from "./refusal.ts";

/** A method that is served, and a target that is a path and perhaps a query. */
export interface GuardedTarget {
  readonly method: Method;
  readonly target: RawTarget;
}

/**
 * The guards that look at method and target alone, in every mode and before any identity or rule: which methods are served,
 * what a target may be, traversal. The agent and the command line both ask here.
 *
 * DEVIATION D-45: an absolute form counts as its path when its authority is the endpoint that was dialled, in whatever
 * spelling; it goes on in origin form. Every other form but a path is refused.
 *
 * @param dialled `null` where nobody knows it
 * Source: wire-protocol 9.2 steps 0 to 3 and 9.3, authorization 3.6 and W-13.
 */
export function guardTarget(
  method: string,
  written: RawTarget,
  dialled: EndpointName | null,
): GuardedTarget | Refusal {
  if (!isMethod(method)) return refused(405, "method-not-allowed", "the method is not served");
  if (written.form === "authority") {
    return refused(400, "bad-request", "the target does not begin with a slash");
  }
  const checked = checkTarget(written);
  if (!checked.ok) {
    return checked.error === "TARGET_TOO_LONG"
      ? refused(414, "bad-request", "the target is too long")
      : refused(400, "bad-request", "the target has forbidden bytes");
  }
  const target = originForm(written, dialled);
  if (target === null) {
    return refused(403, "ambiguous-target", "the target is no path on the endpoint dialled");
  }
  if (isTraversal(target.path)) {
    return refused(403, "path-traversal", "the path has `//` or `..`");
  }
  return { method, target };
}

function originForm(written: RawTarget, dialled: EndpointName | null): RawTarget | null {
  if (written.form === "origin") return written;
  const { authority, path, query } = written;
  if (authority === null || dialled === null || !/^http:/i.test(written.target)) return null;
  const named = classifyAuthority(authority);
  if (!named.ok || namesOtherDestination(named.value, dialled)) return null;
  return splitTarget(query === null ? path : `${path}?${query}`);
}

function refused(status: number, reason: Refusal["reason"], detail: string): Refusal {
  return { status, reason, detail };
}
