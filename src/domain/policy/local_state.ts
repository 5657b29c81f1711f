import type { EndpointName } from "../wire/endpoints.ts";
import type { AuthorizationItem, AuthorizationRules, LocalRules } from "../wire/rules_document.ts";
import { closedItem, mergedItem, normalisedItem, ruleDescriptor } from "./local_merge.ts";

/** What is known of a rule file. Two readings of `present` differ when anything about the file does. */
export type RuleFileState =
  | { readonly kind: "unknown" }
  | { readonly kind: "missing" }
  | { readonly kind: "present"; readonly fingerprint: string }
  | { readonly kind: "error"; readonly cause: string };

/** What came of reading a rule file: its rules, or why it is refused. */
export type RuleFileContent =
  | { readonly kind: "rules"; readonly rules: LocalRules; readonly fingerprint: string }
  | { readonly kind: "refused"; readonly cause: string };

/** Where an endpoint stands with its local rules. Source: authorization 4.7. */
export interface LocalState {
  readonly useLocal: boolean;
  readonly file: RuleFileState;
  /** Whether the last reading failed, so that the next poll reads again whatever else happens. */
  readonly failed: boolean;
  /** The host's item of the last document. */
  readonly item: AuthorizationItem | null;
  readonly effective: EffectiveItem | null;
}

/** The rules that count for an endpoint. */
export interface EffectiveItem {
  readonly item: AuthorizationItem;
  /** The host's item that it was made of, as it came. */
  readonly remote: AuthorizationItem;
  readonly origin: "host" | "merged" | "closed";
  /** State of the local file that was merged, where one was. */
  readonly localFile?: string;
  /** Why the endpoint is closed; `null` when it is not. */
  readonly closedBecause: string | null;
}

/** What happens on the way to the effective rules. */
export type LocalEvent =
  /** A status document was accepted. `item` is `null` where it has none for the endpoint. */
  | {
    readonly kind: "polled";
    readonly item: AuthorizationItem | null;
    readonly hasChanged: boolean;
  }
  | { readonly kind: "looked"; readonly file: RuleFileState }
  | { readonly kind: "read"; readonly content: RuleFileContent };

/** What is to be done next, if anything; its outcome is the next event. */
export type LocalEffect = "look" | "read" | null;

/** What operators are told. The words are others' too. Source: authorization 4.7. */
export interface LocalNotice {
  readonly level: "info" | "warn" | "error";
  readonly task:
    | "LocalFileRulesStateChanged"
    | "LocalRulesFileMetadataReadFailed"
    | "LocalRulesFileParseFailed"
    | "LocalRulesFileParseSuccess";
  readonly message: string;
}

export interface LocalStep {
  readonly next: LocalState;
  readonly effect: LocalEffect;
  readonly notices: readonly LocalNotice[];
  /** Whether the effective rules have to be compiled again; settled once there is no effect. */
  readonly changed: boolean;
}

/** Before the first status document. */
export const INITIAL_LOCAL_STATE: LocalState = Object.freeze({
  useLocal: false,
  file: Object.freeze({ kind: "unknown" }),
  failed: false,
  item: null,
  effective: null,
});

/**
 * Takes an endpoint's local rules one event further. Nothing is read without the host's consent; a file that is wanted and
 * cannot be used closes the endpoint; one that is not there changes nothing. Source: authorization 4.7.
 *
 * @param openChange whether something is still to be done about a change that an earlier event of the same poll brought
 */
export function stepLocal(state: LocalState, event: LocalEvent, openChange = false): LocalStep {
  switch (event.kind) {
    case "polled":
      return polled(state, event.item, event.hasChanged);
    case "looked":
      return looked(state, event.file, openChange);
    case "read":
      return read(state, event.content);
  }
}

function polled(
  state: LocalState,
  item: AuthorizationItem | null,
  hasChanged: boolean,
): LocalStep {
  const useLocal = ruleDescriptor(item).useLocalFileRules;
  const flipped = useLocal !== state.useLocal;
  const notices: LocalNotice[] = flipped
    ? [stateChanged("warn", `local rules are ${useLocal ? "enabled" : "disabled"} by the host`)]
    : [];
  if (useLocal) {
    const next = { ...state, useLocal, item };
    return { next, effect: "look", notices, changed: flipped || hasChanged };
  }
  const changed = hasChanged || flipped || state.failed;
  const next: LocalState = {
    useLocal,
    file: { kind: "unknown" },
    failed: false,
    item,
    effective: changed || state.item !== item ? ofHost(item) : state.effective,
  };
  return { next, effect: null, notices, changed };
}

function looked(before: LocalState, file: RuleFileState, openChange: boolean): LocalStep {
  const fileChanged = !sameFile(before.file, file);
  const notices = fileChanged ? [noticeOf(before.file, file)] : [];
  const state: LocalState = { ...before, file };
  const changed = openChange || fileChanged || state.failed;
  if (!changed && state.effective !== null) {
    return { next: state, effect: null, notices, changed: false };
  }
  switch (file.kind) {
    case "present":
      return { next: state, effect: "read", notices, changed };
    case "error": {
      const task = "LocalRulesFileMetadataReadFailed";
      const failed = failClosed(state, file.cause, task);
      return { ...failed, notices: [...notices, ...failed.notices] };
    }
    default: {
      const next = { ...state, failed: false, effective: ofHost(state.item) };
      return { next, effect: null, notices, changed: true };
    }
  }
}

function read(state: LocalState, content: RuleFileContent): LocalStep {
  if (state.item === null) return { next: state, effect: null, notices: [], changed: false };
  if (content.kind === "refused") {
    return failClosed(state, content.cause, "LocalRulesFileParseFailed");
  }
  const next: LocalState = {
    ...state,
    file: { kind: "present", fingerprint: content.fingerprint },
    failed: false,
    effective: {
      item: mergedItem(state.item, content.rules),
      remote: state.item,
      origin: "merged",
      localFile: content.fingerprint,
      closedBecause: null,
    },
  };
  const message = `local rules \`${content.rules.id ?? "unknown"}\` are read`;
  const notices: LocalNotice[] = [{ level: "info", task: "LocalRulesFileParseSuccess", message }];
  return { next, effect: null, notices, changed: true };
}

/** A reading that fails again in the same way is neither news nor a change. */
function failClosed(
  state: LocalState,
  cause: string,
  task: LocalNotice["task"],
): LocalStep {
  const { item, effective } = state;
  if (item === null) return { next: state, effect: null, notices: [], changed: false };
  const closedBecause = `the local rule file cannot be used: ${cause}`;
  const isNews = !state.failed || effective?.closedBecause !== closedBecause;
  const next: LocalState = {
    ...state,
    failed: true,
    effective: {
      item: closedItem(item),
      remote: item,
      origin: "closed",
      closedBecause,
    },
  };
  return {
    next,
    effect: null,
    notices: isNews ? [{ level: "error", task, message: closedBecause }] : [],
    changed: isNews || effective?.remote !== item,
  };
}

/** The effective rules of a document where nothing local counts: HostGAPlugin has those of WireServer. */
export function hostRules(
  rules: AuthorizationRules | null,
): Readonly<Record<EndpointName, EffectiveItem | null>> {
  const wireserver = ofHost(rules?.wireserver ?? null);
  return { wireserver, imds: ofHost(rules?.imds ?? null), hostga: wireserver };
}

function ofHost(item: AuthorizationItem | null): EffectiveItem | null {
  if (item === null) return null;
  return {
    item: normalisedItem(item),
    remote: item,
    origin: "host",
    closedBecause: null,
  };
}

function sameFile(left: RuleFileState, right: RuleFileState): boolean {
  if (left.kind === "present" && right.kind === "present") {
    return left.fingerprint === right.fingerprint;
  }
  if (left.kind === "error" && right.kind === "error") return left.cause === right.cause;
  return left.kind === right.kind;
}

function noticeOf(before: RuleFileState, file: RuleFileState): LocalNotice {
  switch (file.kind) {
    case "present":
      return stateChanged(
        "warn",
        before.kind === "present"
          ? "the local rule file has changed"
          : "a local rule file is found",
      );
    case "error":
      return stateChanged("error", `the local rule file cannot be looked at: ${file.cause}`);
    default:
      return stateChanged("warn", "the local rule file was deleted or is not there");
  }
}

function stateChanged(level: LocalNotice["level"], message: string): LocalNotice {
  return { level, task: "LocalFileRulesStateChanged", message };
}
