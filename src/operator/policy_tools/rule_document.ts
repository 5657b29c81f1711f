import { err, ok, type Result } from "../../runtime/result.ts";
import {
  type EffectiveItem,
  hostRules,
  normalisedItem,
  ruleSetFault,
} from "../../domain/policy/mod.ts";
import {
  type AuthorizationItem,
  type DocumentFault,
  documentFault,
  ENDPOINT_NAMES,
  type EndpointName,
  isJsonObject,
  itemDocument,
  itemReader,
  type JsonObject,
  type JsonValue,
  type KeyStatus,
  type Mode,
  parseKeyStatus,
  parseLocalRules,
  parseStrictJson,
} from "../../domain/wire/mod.ts";

/**
 * What a file with rules is. `status`: the host's status document. `rules`: its member `authorizationRules`. `item`: the rules
 * of one endpoint. `local`: a rule file of the administrator. `dump`: what the agent writes when it installs a policy.
 */
export type DocumentKind = "status" | "rules" | "item" | "local" | "dump";

export const DOCUMENT_KINDS: readonly DocumentKind[] = Object.freeze([
  "status",
  "rules",
  "item",
  "local",
  "dump",
]);

/** The rules of one endpoint, or of whichever endpoint is asked about. */
export interface DocumentItem {
  /** `null`: the document does not say. */
  readonly endpoint: EndpointName | null;
  /** JSON path of the item in the document. */
  readonly at: string;
  readonly item: AuthorizationItem;
}

/** A document with rules that has the form that it should. */
export interface RuleDocument {
  readonly kind: DocumentKind;
  readonly items: readonly DocumentItem[];
  /** A status document as such: what the modes of the endpoints are derived from. Made up for the other kinds. */
  readonly status: KeyStatus;
  /** What a dump says of each endpoint; `null` for the other kinds. */
  readonly installed: Readonly<Record<EndpointName, InstalledEndpoint>> | null;
  /** The number of the policy that a dump is about; `null` where there is none. */
  readonly epoch: number | null;
  /** Members that are there and that nothing reads, as JSON paths. */
  readonly unused: readonly string[];
}

/** What a dump says about the policy of an endpoint besides its rules. */
export interface InstalledEndpoint {
  readonly mode: Mode;
  /** Why it is closed; `null` when it is not. */
  readonly closedBecause: string | null;
}

/**
 * Reads a document with rules. Without `as` its kind is told by its members.
 * The fault names the place and, where the kind cannot be told, how to name it.
 */
export function readRuleDocument(
  text: string,
  as: DocumentKind | null,
): Result<RuleDocument, DocumentFault> {
  const bare = text.startsWith("\ufeff") ? text.slice(1) : text;
  const parsed = parseStrictJson(bare);
  if (!parsed.ok) return err(documentFault(parsed.error));
  const kind = as ?? kindOf(parsed.value);
  if (kind === null) return err(unknownKind());
  switch (kind) {
    case "status":
      return readStatus(bare);
    case "rules":
      return readRules(parsed.value);
    case "item": {
      const item = itemReader()(parsed.value);
      if (!item.ok) return item;
      return ok(document("item", [{ endpoint: null, at: "$", item: item.value }]));
    }
    case "local":
      return readLocal(bare);
    case "dump":
      return readDump(parsed.value);
  }
}

/** The kind that a document looks like; `null` when it looks like none. */
export function kindOf(value: JsonValue): DocumentKind | null {
  if (!isObject(value)) return null;
  const has = (name: string) => value.has(name);
  if (has("authorizationRules") || has("authorizationScheme") || has("keyDeliveryMethod")) {
    return "status";
  }
  if (has("inputRules")) return "dump";
  if (has("wireserver") || has("imds") || has("hostga")) return "rules";
  if (has("mode")) return "item";
  return has("defaultAccess") || has("rules") ? "local" : null;
}

/** A sentence about how a document is understood. */
export function kindText(kind: DocumentKind): string {
  switch (kind) {
    case "status":
      return "a status document of the host";
    case "rules":
      return "the member authorizationRules of a status document";
    case "item":
      return "the rules of one endpoint (an authorization item)";
    case "local":
      return "a local rule file, taken by itself and enforced";
    case "dump":
      return "a dump of the rules that an agent installed";
  }
}

function readStatus(text: string): Result<RuleDocument, DocumentFault> {
  const status = parseKeyStatus(text);
  if (!status.ok) return status;
  const rules = status.value.authorizationRules;
  const at = "$.authorizationRules";
  const items = ENDPOINT_NAMES.flatMap((endpoint) => {
    const item = endpoint === "hostga" ? null : rules?.[endpoint] ?? null;
    return item === null ? [] : [{ endpoint, at: `${at}.${endpoint}`, item }];
  });
  const parsed = parseStrictJson(text);
  const raw = parsed.ok && isObject(parsed.value) ? parsed.value.get("authorizationRules") : null;
  const unused = isObject(raw) && isObject(raw.get("hostga")) ? [`${at}.hostga`] : [];
  return ok({ kind: "status", items, status: status.value, installed: null, epoch: null, unused });
}

function readRules(value: JsonValue): Result<RuleDocument, DocumentFault> {
  if (!isObject(value)) return err(mustBeObject("$"));
  const read = itemReader();
  const items: DocumentItem[] = [];
  const unused: string[] = [];
  for (const endpoint of ENDPOINT_NAMES) {
    const member = value.get(endpoint) ?? null;
    if (member === null) continue;
    const at = `$.${endpoint}`;
    const item = read(member, at);
    if (!item.ok) return item;
    if (endpoint === "hostga") unused.push(at);
    else items.push({ endpoint, at, item: item.value });
  }
  return ok(document("rules", items, unused));
}

function readLocal(text: string): Result<RuleDocument, DocumentFault> {
  const local = parseLocalRules(text);
  if (!local.ok) return local;
  const { id, defaultAccess, rules } = local.value;
  const fault = ruleSetFault(rules);
  if (fault !== null) return err(fault);
  const item = {
    id: id ?? "local-rules",
    defaultAccess: defaultAccess ?? "deny",
    mode: "enforce",
    rules,
  } as const;
  const source = itemDocument(item);
  return ok(document("local", [{ endpoint: null, at: "$", item: { ...item, source } }]));
}

const MODES: readonly Mode[] = Object.freeze(["disabled", "audit", "enforce"]);

function readDump(value: JsonValue): Result<RuleDocument, DocumentFault> {
  if (!isObject(value)) return err(mustBeObject("$"));
  const input = value.get("inputRules") ?? null;
  if (!isObject(input)) return err(mustBeObject("$.inputRules"));
  const computed = value.get("computedRules") ?? null;
  if (!isObject(computed)) return err(mustBeObject("$.computedRules"));
  const read = itemReader();
  const items: DocumentItem[] = [];
  const installed = new Map<EndpointName, InstalledEndpoint>();
  for (const endpoint of ENDPOINT_NAMES) {
    const said = computed.get(endpoint) ?? null;
    const at = `$.computedRules.${endpoint}`;
    if (!isObject(said)) return err(mustBeObject(at));
    const word = said.get("mode");
    const mode = MODES.find((each) => typeof word === "string" && word.toLowerCase() === each);
    if (mode === undefined) {
      const message = `${at}.mode must be Disabled, Audit or Enforce`;
      return err({ code: "MEMBER_VALUE", path: `${at}.mode`, message });
    }
    const reason = said.get("reason");
    const closedBecause = said.get("kind") === "closed"
      ? typeof reason === "string" ? reason : "its rules cannot be read"
      : null;
    installed.set(endpoint, { mode, closedBecause });
    const member = input.get(endpoint) ?? null;
    if (member === null) continue;
    const item = read(member, `$.inputRules.${endpoint}`);
    if (!item.ok) return item;
    items.push({ endpoint, at: `$.inputRules.${endpoint}`, item: { ...item.value, mode } });
  }
  const epoch = value.get("policyEpoch");
  return ok({
    ...document("dump", items),
    epoch: typeof epoch === "number" ? epoch : null,
    installed: {
      wireserver: installed.get("wireserver")!,
      imds: installed.get("imds")!,
      hostga: installed.get("hostga")!,
    },
  });
}

/** The document as the agent gets it: a kind without a status gets one under which its items count. */
function document(
  kind: DocumentKind,
  items: readonly DocumentItem[],
  unused: readonly string[] = [],
): RuleDocument {
  const itemFor = (endpoint: EndpointName) =>
    items.find((each) => each.endpoint === endpoint || each.endpoint === null)?.item ?? null;
  const status: KeyStatus = {
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    version: "2.0",
    keyGuid: null,
    keyIncarnationId: null,
    requiredClaimsHeaderPairs: null,
    secureChannelState: null,
    secureChannelEnabled: true,
    authorizationRules: { wireserver: itemFor("wireserver"), imds: itemFor("imds") },
  };
  return { kind, items, status, installed: null, epoch: null, unused };
}

/** The rules that count, by endpoint. A dump holds what counted already; anything else is taken without local rules. */
export function effectiveRules(
  { status, installed, items }: RuleDocument,
): Readonly<Record<EndpointName, EffectiveItem | null>> {
  if (installed === null) return hostRules(status.authorizationRules);
  const effective = (endpoint: EndpointName): EffectiveItem | null => {
    const item = items.find((each) => each.endpoint === endpoint)?.item;
    if (item === undefined) return null;
    const { closedBecause } = installed[endpoint];
    const origin = closedBecause === null ? "host" : "closed";
    return { item, remote: normalisedItem(item), origin, closedBecause };
  };
  return {
    wireserver: effective("wireserver"),
    imds: effective("imds"),
    hostga: effective("hostga"),
  };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && isJsonObject(value);
}

function mustBeObject(path: string): DocumentFault {
  return { code: "MEMBER_TYPE", path, message: `${path} must be an object` };
}

function unknownKind(): DocumentFault {
  const message = "the document has none of the members by which rules are known " +
    "(authorizationRules; imds or wireserver; mode; defaultAccess or rules; inputRules); " +
    `say what it is with --as ${DOCUMENT_KINDS.join("|")}`;
  return { code: "MEMBER_MISSING", path: "$", message };
}
