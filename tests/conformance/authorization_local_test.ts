/** Local rules against the tables of authorization 4.2 to 4.8. */
import assert from "node:assert/strict";
import { isTraversal, splitTarget } from "../../src/domain/canonical/mod.ts";
import {
  type AuthorizationItem,
  type DocumentFault,
  type LocalRules,
  parseAuthorizationItem,
  parseLocalRules,
} from "../../src/domain/wire/mod.ts";
import {
  closedItem,
  compileItem,
  evaluate,
  INITIAL_LOCAL_STATE,
  type LocalEvent,
  type LocalState,
  type LocalStep,
  mergedItem,
  normalisedItem,
  questionOf,
  ruleDescriptor,
  ruleSetFault,
  stepLocal,
} from "../../src/domain/policy/mod.ts";
import type { Result } from "../../src/runtime/result.ts";
import {
  descriptors,
  localBehaviour,
  localFiles,
  localStates,
  merges,
  type StatesVector,
} from "../vectors/authorization_vectors.ts";

function itemOf(document: unknown): AuthorizationItem {
  const result = parseAuthorizationItem(JSON.stringify(document));
  assert.ok(result.ok, JSON.stringify(document));
  return result.value;
}

/** What a file says, or why it is refused. */
function read(text: string): Result<LocalRules, DocumentFault> {
  const parsed = parseLocalRules(text);
  if (!parsed.ok) return parsed;
  const fault = ruleSetFault(parsed.value.rules);
  return fault === null ? parsed : { ok: false, error: fault };
}

for (const { id, raw, logicalId, useLocal, displayId, why } of descriptors()) {
  Deno.test(`ruleDescriptor() reads ${id}`, () => {
    const item = itemOf({ defaultAccess: "deny", mode: "enforce", id: raw });
    assert.deepEqual(ruleDescriptor(item), { id: logicalId, useLocalFileRules: useLocal }, why);
    assert.equal(normalisedItem(item).id, displayId, why);
  });
}

for (const { id, file, accepted, path, why } of localFiles()) {
  const fate = accepted ? "accepted" : "rejected";
  Deno.test(`a local file is ${fate}: ${id}`, () => {
    const result = read(file);
    assert.equal(result.ok, accepted, why);
    if (!result.ok && path !== null) {
      assert.equal(result.error.path, path);
      assert.ok(result.error.message.includes(path), result.error.message);
    }
  });
}

/** A merged item in the shape of the vectors. */
function shown({ id, defaultAccess, mode, rules }: AuthorizationItem): unknown {
  return plain({ id, defaultAccess, mode, rules });
}

/** Without members that are null, maps as objects; `rules` stays when it is null. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([name, member]) => member !== null || name === "rules")
      .map(([name, member]) => [name, plain(member)]),
  );
}

for (const { id, host, file, merged, why } of merges()) {
  Deno.test(`mergedItem() merges ${id}`, () => {
    const local = read(JSON.stringify(file));
    assert.ok(local.ok, id);
    assert.deepEqual(shown(mergedItem(itemOf(host), local.value)), merged, why);
  });
}

const WANTED = "eyJpZCI6ImEiLCJ1c2VMb2NhbEZpbGVSdWxlcyI6dHJ1ZX0=";
const LOCAL: LocalRules = { id: "f", defaultAccess: "deny", rules: null };

/** One poll: the steps of the reducer until nothing is left to do. */
function poll(
  state: LocalState,
  item: AuthorizationItem,
  hasChanged: boolean,
  file: StatesVector["steps"][number]["file"],
): LocalStep {
  let event: LocalEvent | null = { kind: "polled", item, hasChanged };
  let current = state;
  let changed = false;
  const notices: LocalStep["notices"][number][] = [];
  while (event !== null) {
    const step: LocalStep = stepLocal(current, event, changed);
    current = step.next;
    changed = step.changed;
    notices.push(...step.notices);
    event = step.effect === null ? null : outcome(step.effect, file);
  }
  return { next: current, effect: null, notices, changed };
}

function outcome(
  effect: "look" | "read",
  file: StatesVector["steps"][number]["file"],
): LocalEvent {
  if (file.kind === "error") return { kind: "looked", file: { kind: "error", cause: file.text } };
  if (file.kind === "missing") return { kind: "looked", file };
  const { mark: fingerprint, valid } = file;
  if (effect === "look") return { kind: "looked", file: { kind: "present", fingerprint } };
  return {
    kind: "read",
    content: valid
      ? { kind: "rules", rules: LOCAL, fingerprint }
      : { kind: "refused", cause: "not JSON" },
  };
}

for (const vector of localStates()) {
  Deno.test(`stepLocal() goes ${vector.id}`, () => {
    let state = INITIAL_LOCAL_STATE;
    let item: AuthorizationItem | null = null;
    for (const [index, expected] of vector.steps.entries()) {
      const label = `${vector.id}, poll ${index + 1}`;
      if (expected.remoteChanged || item === null) {
        const id = expected.useLocal ? WANTED : "plain";
        item = itemOf({ defaultAccess: "allow", mode: "enforce", id });
      }
      const { next, notices, changed } = poll(state, item, expected.remoteChanged, expected.file);
      assert.equal(next.effective?.origin, expected.origin, label);
      assert.equal(next.failed, expected.failed, label);
      assert.equal(changed, expected.changed, label);
      const words = notices.map(({ level, task }) => `${level} ${task}`);
      assert.deepEqual(words, expected.events, label);
      assert.equal(next.useLocal, expected.useLocal, label);
      const { defaultAccess } = next.effective!.item;
      assert.equal(defaultAccess, expected.origin === "host" ? "allow" : "deny", label);
      state = next;
    }
  });
}

for (const { id, host, file, target, caller, allowed, why } of localBehaviour()) {
  const verb = allowed ? "lets pass" : "refuses";
  Deno.test(`a local file ${verb}: ${id}`, () => {
    const item = itemOf(host);
    const local = file === null ? null : read(file);
    const effective = local === null
      ? normalisedItem(item)
      : local.ok
      ? mergedItem(item, local.value)
      : closedItem(item);
    assert.equal(effective.mode, "enforce");
    const question = questionOf("GET", target, { ...caller, elevated: false });
    const { compiled } = compileItem(effective);
    for (const matching of ["compat", "shadow", "enforce"] as const) {
      const passes = !isTraversal(splitTarget(target).path) &&
        evaluate(compiled, question, matching).allowed;
      assert.equal(passes, allowed, `${matching}: ${why}`);
    }
  });
}
