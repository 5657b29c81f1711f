import { err, ok, type Result } from "../../runtime/result.ts";
import { type DocumentFault, documentFault } from "./document_reader.ts";
import AUTHORIZATION_ITEM from "./schema/authorization_item.json" with { type: "json" };
import LOCAL_RULES from "./schema/local_rules.json" with { type: "json" };
import RULE_DESCRIPTOR from "./schema/rule_descriptor.json" with { type: "json" };
import { type JsonSchema, SchemaChecker } from "./schema_checker.ts";
import {
  type JsonObject,
  type JsonValue,
  parseStrictJson,
  parseStrictJsonSteps,
} from "./strict_json.ts";

/** What the verdict of an endpoint's policy does. Source: authorization 1.6 and 2. */
export type Mode = "disabled" | "audit" | "enforce";

/** A path, and the query parameters it needs, that a role may use. */
export interface Privilege {
  readonly name: string;
  readonly path: string;
  readonly queryParameters: ReadonlyMap<string, string> | null;
}

/** A named set of privileges. */
export interface Role {
  readonly name: string;
  readonly privileges: readonly string[];
}

/** A caller, described by the selectors that are not `null`. */
export interface Identity {
  readonly name: string;
  readonly userName: string | null;
  readonly groupName: string | null;
  readonly exePath: string | null;
  readonly processName: string | null;
}

/** Which identities have a role. */
export interface RoleAssignment {
  readonly role: string;
  readonly identities: readonly string[];
}

/** The rules of one item as the host sent them. `null` is a list that was not sent. */
export interface RuleSet {
  readonly privileges: readonly Privilege[] | null;
  readonly roles: readonly Role[] | null;
  readonly identities: readonly Identity[] | null;
  readonly roleAssignments: readonly RoleAssignment[] | null;
}

/** The rules of one endpoint. */
export interface AuthorizationItem {
  readonly defaultAccess: "allow" | "deny";
  readonly mode: Mode;
  /** As received; may carry a Base64 descriptor. */
  readonly id: string;
  readonly rules: RuleSet | null;
  /** The whole item as received, unknown members included: what change detection looks at. */
  readonly source: JsonObject;
}

/** The member `authorizationRules`. `hostga` is checked and then not used, as HostGAPlugin follows WireServer (D-04). */
export interface AuthorizationRules {
  readonly wireserver: AuthorizationItem | null;
  readonly imds: AuthorizationItem | null;
}

/** A rule file of the administrator, checked by itself. `null` is a member that is not there. Source: authorization 4.3. */
export interface LocalRules {
  readonly id: string | null;
  readonly defaultAccess: "allow" | "deny" | null;
  readonly rules: RuleSet | null;
}

/** What a rule id carries. Source: authorization 4.2. */
export interface RuleDescriptor {
  readonly id: string;
  readonly useLocalFileRules: boolean;
}

/** The documents that have a schema for editors. */
export type RuleSchemaName = "item" | "local";

/**
 * The JSON Schema of a rule document, generated from the definition in `tools/schema`. It is the one that the parsers are
 * driven by, so the two cannot differ.
 */
export function ruleSchema(name: RuleSchemaName): Readonly<Record<string, unknown>> {
  return name === "item" ? AUTHORIZATION_ITEM : LOCAL_RULES;
}

/**
 * Makes a reader of authorization items out of parsed JSON. Making it costs far more than using it, so keep it.
 * Source: authorization 1.2.
 */
export function itemReader(): (
  value: JsonValue,
  path?: string,
) => Result<AuthorizationItem, DocumentFault> {
  const checker = new SchemaChecker(AUTHORIZATION_ITEM as JsonSchema);
  return (value, path = "$") => {
    const fault = checker.check(value, path);
    return fault === null ? ok(drain(itemSteps(value as JsonObject))) : err(fault);
  };
}

/** Parses the text of one authorization item. Source: authorization 1.2. */
export function parseAuthorizationItem(text: string): Result<AuthorizationItem, DocumentFault> {
  const parsed = parseStrictJson(text);
  return parsed.ok ? itemReader()(parsed.value) : err(documentFault(parsed.error));
}

/**
 * Parses the text of a local rule file in steps; one leading byte order mark is dropped. References between the lists
 * are not looked at. Source: authorization 4.3, 4.4.
 */
export function* parseLocalRulesSteps(
  text: string,
): Generator<void, Result<LocalRules, DocumentFault>> {
  const parsed = yield* parseStrictJsonSteps(text.startsWith("\ufeff") ? text.slice(1) : text);
  if (!parsed.ok) return err(documentFault(parsed.error));
  const checker = new SchemaChecker(LOCAL_RULES as JsonSchema);
  const fault = yield* checker.steps(parsed.value);
  if (fault !== null) return err(fault);
  const root = parsed.value as JsonObject;
  const access = optionalText(root, "defaultAccess");
  return ok({
    id: optionalText(root, "id"),
    // Blanks around the word pass the check and then count as something else than `allow`. Source: authorization 4.4.
    defaultAccess: access === null ? null : accessOf(access),
    rules: yield* ruleSetSteps(optionalObject(root, "rules")),
  });
}

/** The same at once. */
export function parseLocalRules(text: string): Result<LocalRules, DocumentFault> {
  return drain(parseLocalRulesSteps(text));
}

/** The content of a rule id that was decoded; `null` when it is no descriptor. Source: authorization 4.2. */
export function parseRuleDescriptor(text: string): RuleDescriptor | null {
  const parsed = parseStrictJson(text);
  if (!parsed.ok) return null;
  const checker = new SchemaChecker(RULE_DESCRIPTOR as JsonSchema);
  if (checker.check(parsed.value) !== null) return null;
  const root = parsed.value as JsonObject;
  return {
    id: optionalText(root, "id") ?? "",
    useLocalFileRules: root.get("useLocalFileRules") === true,
  };
}

/** The member `authorizationRules` of a checked document; `null` when it is absent. */
export function* authorizationRulesSteps(
  rules: JsonObject | null,
): Generator<void, AuthorizationRules | null> {
  if (rules === null) return null;
  const wireserver = optionalObject(rules, "wireserver");
  const imds = optionalObject(rules, "imds");
  return {
    wireserver: wireserver === null ? null : yield* itemSteps(wireserver),
    imds: imds === null ? null : yield* itemSteps(imds),
  };
}

/** An item as JSON, members in the order of the schema: what a merged item is known by. */
export function itemDocument(item: Omit<AuthorizationItem, "source">): JsonObject {
  const members: [string, JsonValue][] = [
    ["defaultAccess", item.defaultAccess],
    ["mode", item.mode],
    ["id", item.id],
  ];
  if (item.rules !== null) members.push(["rules", ruleSetDocument(item.rules)]);
  return new Map(members);
}

/** Elements of a list that are taken between two pauses. */
const ELEMENTS_IN_A_STEP = 256;

function* itemSteps(item: JsonObject): Generator<void, AuthorizationItem> {
  return {
    defaultAccess: accessOf(text(item, "defaultAccess")),
    mode: text(item, "mode").toLowerCase() as Mode,
    id: text(item, "id"),
    rules: yield* ruleSetSteps(optionalObject(item, "rules")),
    source: item,
  };
}

function* ruleSetSteps(rules: JsonObject | null): Generator<void, RuleSet | null> {
  if (rules === null) return null;
  return {
    privileges: yield* listSteps(rules, "privileges", (privilege) => ({
      name: text(privilege, "name"),
      path: text(privilege, "path"),
      // Checked: a map of names to texts.
      queryParameters: optionalObject(privilege, "queryParameters") as
        | ReadonlyMap<string, string>
        | null,
    })),
    roles: yield* listSteps(rules, "roles", (role) => ({
      name: text(role, "name"),
      privileges: role.get("privileges") as readonly string[],
    })),
    identities: yield* listSteps(rules, "identities", (identity) => ({
      name: text(identity, "name"),
      userName: optionalText(identity, "userName"),
      groupName: optionalText(identity, "groupName"),
      exePath: optionalText(identity, "exePath"),
      processName: optionalText(identity, "processName"),
    })),
    roleAssignments: yield* listSteps(rules, "roleAssignments", (assignment) => ({
      role: text(assignment, "role"),
      identities: assignment.get("identities") as readonly string[],
    })),
  };
}

function* listSteps<T>(
  rules: JsonObject,
  name: string,
  read: (element: JsonObject) => T,
): Generator<void, readonly T[] | null> {
  const list = rules.get(name) ?? null;
  if (list === null) return null;
  const elements: T[] = [];
  for (const element of list as readonly JsonObject[]) {
    elements.push(read(element));
    if (elements.length % ELEMENTS_IN_A_STEP === 0) yield;
  }
  yield;
  return elements;
}

function ruleSetDocument(rules: RuleSet): JsonObject {
  const lists: [string, readonly JsonObject[] | null][] = [
    ["privileges", rules.privileges?.map(membersOf) ?? null],
    ["roles", rules.roles?.map(membersOf) ?? null],
    ["identities", rules.identities?.map(membersOf) ?? null],
    ["roleAssignments", rules.roleAssignments?.map(membersOf) ?? null],
  ];
  return new Map(
    lists.filter((entry): entry is [string, readonly JsonObject[]] => entry[1] !== null),
  );
}

/** The members that are there. */
function membersOf(part: Privilege | Role | Identity | RoleAssignment): JsonObject {
  const members = Object.entries(part) as [string, JsonValue][];
  return new Map(members.filter(([, value]) => value !== null));
}

/** Only `allow` allows, in any case and without blanks around it. Source: authorization 1.2. */
function accessOf(word: string): "allow" | "deny" {
  return word.toLowerCase() === "allow" ? "allow" : "deny";
}

function text(object: JsonObject, name: string): string {
  return object.get(name) as string;
}

function optionalText(object: JsonObject, name: string): string | null {
  return (object.get(name) ?? null) as string | null;
}

function optionalObject(object: JsonObject, name: string): JsonObject | null {
  return (object.get(name) ?? null) as JsonObject | null;
}

function drain<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
