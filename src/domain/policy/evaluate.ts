import {
  type CanonCode,
  canonicalize,
  isKnownEmbeddedQueryClient,
  splitTarget,
  strictTarget,
  withQueryMark,
} from "../canonical/mod.ts";
import type { CompiledItem } from "./compile.ts";
import { CallerClasses, Scan } from "./grant_tree.ts";
import { LegacyRequest } from "./legacy_matcher.ts";
import type { Matching, Question, RuleVerdict } from "./question.ts";

/** What one matcher says about one request. */
export interface Judgement {
  readonly allowed: boolean;
  readonly by: "rule" | "default-access";
  readonly privilege: string | null;
  readonly identity: string | null;
}

/**
 * What the rules of an item say about a request: without the demand for an elevated caller and without the softening by Audit.
 * Both matchers are always asked. A disabled item allows everything and looks at nothing.
 *
 * In `enforce` both have to allow, and no server may read the target in another way (DEVIATION D-93). INVARIANT: `enforce` allows nothing that
 * `compat` refuses. Source: authorization 2.5, 3.2, 3.4, 3.11, 3.14 and W-13.
 */
export function evaluate(item: CompiledItem, question: Question, matching: Matching): RuleVerdict {
  if (item.mode === "disabled") return DISABLED;
  const caller = new CallerClasses(item.index.identities, question.claims);
  const legacy = judgeLegacy(item, question, caller);
  const canonical = judgeCanonical(item, question.method, question.target, caller);
  const compat = legacy.allowed ? "allow" : "deny";
  const word = typeof canonical === "string" ? canonical : canonical.allowed ? "allow" : "deny";
  if (matching !== "enforce" || !legacy.allowed) {
    return verdict(compat, word, legacy.allowed, legacy, null);
  }
  return enforced(item, question, caller, legacy, canonical, word);
}

/** `enforce`, where the legacy matcher allows. */
function enforced(
  item: CompiledItem,
  question: Question,
  caller: CallerClasses,
  legacy: Judgement,
  canonical: Judgement | CanonCode,
  word: RuleVerdict["canonical"],
): RuleVerdict {
  let { path, query } = question;
  let judged = canonical;
  // The one client that is known to escape its question mark needs the grant of the request that it means.
  if (isKnownEmbeddedQueryClient(question.method, question.target)) {
    const meant = splitTarget(withQueryMark(question.target));
    judged = judgeCanonical(item, question.method, meant.target, caller);
    ({ path, query } = meant);
  }
  const fault = strictTarget(path, query);
  if (typeof judged === "string") return verdict("allow", word, false, NOT_MATCHED, fault);
  if (!judged.allowed) return verdict("allow", word, false, judged, fault);
  return verdict("allow", word, fault === null, legacy, fault);
}

function judgeLegacy(item: CompiledItem, question: Question, caller: CallerClasses): Judgement {
  const request = new LegacyRequest(question);
  const scan = new Scan(caller);
  item.index.paths.visitLegacy(request.path, request, scan);
  return judgement(item, scan);
}

/** The canonical matcher alone; a code when the request has no canonical form. */
export function judgeCanonical(
  item: CompiledItem,
  method: string,
  target: string,
  caller: CallerClasses,
): Judgement | CanonCode {
  const request = canonicalize({ method, target });
  if (!request.ok) return request.error;
  const scan = new Scan(caller);
  const { segments, query } = request.value;
  item.index.paths.visitCanonical(segments, query, scan);
  return judgement(item, scan);
}

/** A privilege that matched decides alone; only where none did, the default does. Source: authorization 3.4. */
function judgement(item: CompiledItem, scan: Scan): Judgement {
  const { privilege, identity, refusedBy } = scan;
  if (privilege !== null) return { allowed: true, by: "rule", privilege, identity };
  if (refusedBy !== null) {
    return { allowed: false, by: "rule", privilege: refusedBy, identity: null };
  }
  return item.defaultAllowed ? DEFAULT_ALLOWED : NOT_MATCHED;
}

function verdict(
  compat: RuleVerdict["compat"],
  canonical: RuleVerdict["canonical"],
  allowed: boolean,
  { by, privilege, identity }: Judgement,
  strictFault: RuleVerdict["strictFault"],
): RuleVerdict {
  return { compat, canonical, allowed, privilege, identity, by, strictFault };
}

const DEFAULT_ALLOWED: Judgement = Object.freeze({
  allowed: true,
  by: "default-access",
  privilege: null,
  identity: null,
});
const NOT_MATCHED: Judgement = Object.freeze({ ...DEFAULT_ALLOWED, allowed: false });
const DISABLED: RuleVerdict = Object.freeze({
  compat: "allow",
  canonical: "allow",
  allowed: true,
  privilege: null,
  identity: null,
  by: "disabled",
  strictFault: null,
});
