/**
 * What rule documents look like, defined once. The schemas in `src/domain/wire/schema` are generated from this: editors
 * are given them, and the agent's parser is driven by them.
 *
 * Source: authorization 1.2, 4.2 to 4.4, wire-protocol 3.2.
 * @module
 */
import * as z from "zod/mini";

const NOT_BLANK = /\P{White_Space}/u;
/** Modes and accesses are read in any case; a pattern has no flag for that. */
const MODE =
  /^(?:[Dd][Ii][Ss][Aa][Bb][Ll][Ee][Dd]|[Aa][Uu][Dd][Ii][Tt]|[Ee][Nn][Ff][Oo][Rr][Cc][Ee])$/u;
const LOCAL_ACCESS = /^\p{White_Space}*(?:[Aa][Ll][Ll][Oo][Ww]|[Dd][Ee][Nn][Yy])\p{White_Space}*$/u;
const CHANNEL_STATE =
  /^(?:[Dd][Ii][Ss][Aa][Bb][Ll][Ee][Dd]|[Ww][Ii][Rr][Ee][Ss][Ee][Rr][Vv][Ee][Rr](?:[Aa][Nn][Dd][Ii][Mm][Dd][Ss])?)$/u;

/** `description` is shown by editors; `errorMessage` ends the sentence of an error: "… must be …". */
function text(description: string) {
  return z.string().register(z.globalRegistry, { description });
}

function patternText(
  pattern: RegExp,
  description: string,
  errorMessage: string,
  examples: string[],
) {
  return z.string().check(z.regex(pattern))
    .register(z.globalRegistry, { description, errorMessage, examples });
}

function filledText(description: string) {
  return z.string().check(z.regex(NOT_BLANK))
    .register(z.globalRegistry, { description, errorMessage: "a text that is not blank" });
}

type TextOf = (description: string) => ReturnType<typeof text>;

/** The lists of a rule set. The host's texts are taken as they are; those of a local file must say something. */
function ruleSet(id: string, textOf: TextOf, least: 0 | 1) {
  const names = (description: string) => {
    const list = z.array(textOf("A name, compared exactly."));
    const bounded = least === 0 ? list : list.check(z.minLength(1));
    return bounded.register(z.globalRegistry, {
      description,
      ...(least === 0 ? {} : { uniqueItems: true, errorMessage: "a list with at least one name" }),
    });
  };
  const queryParameters = z.map(textOf("Name of a parameter."), textOf("Its value."));
  const privilege = z.object({
    name: textOf("Name of the privilege; roles refer to it."),
    path: textOf("Beginning of the request paths it covers, compared without regard to case."),
    queryParameters: z.nullish(queryParameters.register(z.globalRegistry, {
      description: "Parameters that the request must have, each with this value.",
    })),
  });
  const role = z.object({
    name: textOf("Name of the role; assignments refer to it."),
    privileges: names("Names of the privileges that the role is made of."),
  });
  const identity = z.object({
    name: textOf("Name of the identity; assignments refer to it."),
    userName: z.nullish(text("Name of the calling process's user.")),
    groupName: z.nullish(text("A group that this user is in.")),
    exePath: z.nullish(text("Full path of the calling process's executable.")),
    processName: z.nullish(text("File name of that executable.")),
  }).register(z.globalRegistry, {
    description: "A caller; every selector that is given must fit.",
  });
  const roleAssignment = z.object({
    role: textOf("Name of the role that is given."),
    identities: names("Names of the identities that get it."),
  });
  return z.object({
    privileges: z.nullish(z.array(privilege)),
    roles: z.nullish(z.array(role)),
    identities: z.nullish(z.array(identity)),
    roleAssignments: z.nullish(z.array(roleAssignment)),
  }).register(z.globalRegistry, {
    id,
    description: "What may be asked for, by whom. All four lists are needed to give anything.",
  });
}

const item = z.object({
  defaultAccess: patternlessAccess(),
  mode: patternText(
    MODE,
    "What a verdict does: nothing, a record, or a refusal.",
    "Disabled, Audit or Enforce",
    ["Enforce", "Audit", "Disabled"],
  ),
  id: text("Names the rules in records; may be empty."),
  rules: z.nullish(ruleSet("RuleSet", text, 0)),
}).register(z.globalRegistry, { title: "Rules of one endpoint, as the host sends them" });

function patternlessAccess() {
  return z.string().register(z.globalRegistry, {
    description:
      "What happens to requests that no privilege covers. Everything but `allow` denies.",
    examples: ["deny", "allow"],
  });
}

/** `hostga` decides nothing, so its mode cannot be wrong; its members are still required. */
const hostgaItem = z.extend(item, { mode: text("Not used.") });

const authorizationRules = z.object({
  imds: z.nullish(item),
  wireserver: z.nullish(item),
  hostga: z.nullish(hostgaItem),
});

const keyStatus = z.object({
  authorizationScheme: text("Scheme of the signature."),
  keyDeliveryMethod: text("How the key gets to the agent."),
  version: text("Version of the document."),
  keyGuid: z.nullish(text("The key that the host has latched.")),
  keyIncarnationId: z.nullish(z.int().check(z.gte(0), z.lte(0xffff_ffff))),
  requiredClaimsHeaderPairs: z.nullish(z.array(text("Name of a claim."))),
  secureChannelState: z.nullish(patternText(
    CHANNEL_STATE,
    "State of the channel in documents of version 1.0.",
    "Disabled, Wireserver or WireserverAndImds",
    ["WireserverAndImds"],
  )),
  secureChannelEnabled: z.nullish(z.boolean()),
  authorizationRules: z.nullish(authorizationRules),
}).register(z.globalRegistry, { title: "Status of the secure channel" });

const localRules = z.object({
  id: z.nullish(filledText("Names the file in records.")),
  defaultAccess: z.nullish(patternText(
    LOCAL_ACCESS,
    "What happens to requests that no privilege covers; without it, what the host says.",
    "allow or deny",
    ["deny", "allow"],
  )),
  rules: z.nullish(ruleSet("LocalRuleSet", filledText, 1)),
}).register(z.globalRegistry, { title: "Local rules of one endpoint" });

const ruleDescriptor = z.object({
  id: z.nullish(text("The id itself.")),
  useLocalFileRules: z.nullish(z.boolean()),
}).register(z.globalRegistry, { title: "What a rule id may carry, in Base64" });

/** Every document, by the name of its schema file. */
export const DEFINITIONS = Object.freeze({
  authorization_item: item,
  key_status: keyStatus,
  local_rules: localRules,
  rule_descriptor: ruleDescriptor,
});

/** Name of a document. */
export type DefinitionName = keyof typeof DEFINITIONS;
