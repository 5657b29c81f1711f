import assert from "node:assert/strict";
import {
  INITIAL_LOCAL_STATE,
  type LocalNotice,
  type LocalState,
  type RuleFileContent,
  type RuleFileState,
  stepLocal,
} from "../../../../src/domain/policy/mod.ts";
import {
  type AuthorizationItem,
  type LocalRules,
  parseAuthorizationItem,
} from "../../../../src/domain/wire/mod.ts";

function item(useLocalFileRules: boolean, defaultAccess = "allow"): AuthorizationItem {
  const id = btoa(JSON.stringify({ id: "x", useLocalFileRules }));
  const parsed = parseAuthorizationItem(JSON.stringify({ defaultAccess, mode: "Audit", id }));
  assert.ok(parsed.ok);
  return parsed.value;
}

const WITH = item(true);
const WITHOUT = item(false);
const RULES: LocalRules = { id: "f", defaultAccess: "deny", rules: null };
const present = (fingerprint: string): RuleFileState => ({ kind: "present", fingerprint });
const good = (fingerprint: string): RuleFileContent => ({
  kind: "rules",
  rules: RULES,
  fingerprint,
});
const MISSING: RuleFileState = { kind: "missing" };
const REFUSED: RuleFileContent = { kind: "refused", cause: "not JSON" };

/** One poll of an endpoint, with what the file system would say. */
class Machine {
  state: LocalState = INITIAL_LOCAL_STATE;
  #last: AuthorizationItem | null = null;

  /** Origin of the effective rules, whether they changed, what was done, and the notices. */
  poll(remote: AuthorizationItem | null, file: RuleFileState = MISSING, content?: RuleFileContent) {
    const notices: LocalNotice[] = [];
    const done: string[] = [];
    let stepped = stepLocal(this.state, {
      kind: "polled",
      item: remote,
      hasChanged: remote !== this.#last,
    });
    this.#last = remote;
    for (;;) {
      notices.push(...stepped.notices);
      if (stepped.effect === null) break;
      done.push(stepped.effect);
      stepped = stepped.effect === "look"
        ? stepLocal(stepped.next, { kind: "looked", file }, stepped.changed)
        : stepLocal(stepped.next, { kind: "read", content: content ?? good("?") });
    }
    this.state = stepped.next;
    return {
      origin: this.state.effective?.origin ?? null,
      changed: stepped.changed,
      done: done.join(" "),
      notices: notices.map(({ level, task }) => `${level} ${task}`),
    };
  }
}

const CHANGED = "warn LocalFileRulesStateChanged";
const SUCCESS = "info LocalRulesFileParseSuccess";

Deno.test("stepLocal() goes through all transitions of the specification", () => {
  const machine = new Machine();
  // Unknown to Missing: a machine whose payload has not come yet works by the host's rules.
  assert.deepEqual(machine.poll(WITH), {
    origin: "host",
    changed: true,
    done: "look",
    notices: [CHANGED, CHANGED],
  });
  // Missing to Present.
  assert.deepEqual(machine.poll(WITH, present("1"), good("1")), {
    origin: "merged",
    changed: true,
    done: "look read",
    notices: [CHANGED, SUCCESS],
  });
  assert.deepEqual(machine.poll(WITH, present("1")), {
    origin: "merged",
    changed: false,
    done: "look",
    notices: [],
  });
  // Present to another Present.
  assert.deepEqual(machine.poll(WITH, present("2"), good("2")), {
    origin: "merged",
    changed: true,
    done: "look read",
    notices: [CHANGED, SUCCESS],
  });
  // Valid to invalid.
  assert.deepEqual(machine.poll(WITH, present("3"), REFUSED), {
    origin: "closed",
    changed: true,
    done: "look read",
    notices: [CHANGED, "error LocalRulesFileParseFailed"],
  });
  // Still invalid: read again, and nothing is new.
  assert.deepEqual(machine.poll(WITH, present("3"), REFUSED), {
    origin: "closed",
    changed: false,
    done: "look read",
    notices: [],
  });
  // Invalid to valid, also without a change that shows.
  assert.deepEqual(machine.poll(WITH, present("3"), good("3")), {
    origin: "merged",
    changed: true,
    done: "look read",
    notices: [SUCCESS],
  });
  // Present to Missing.
  assert.deepEqual(machine.poll(WITH, MISSING), {
    origin: "host",
    changed: true,
    done: "look",
    notices: [CHANGED],
  });
  // Missing to Error.
  assert.deepEqual(machine.poll(WITH, { kind: "error", cause: "EACCES" }), {
    origin: "closed",
    changed: true,
    done: "look",
    notices: ["error LocalFileRulesStateChanged", "error LocalRulesFileMetadataReadFailed"],
  });
  assert.equal(machine.poll(WITH, { kind: "error", cause: "EACCES" }).changed, false);
  assert.equal(machine.poll(WITH, { kind: "error", cause: "EIO" }).changed, true);
  // Error to Missing.
  assert.deepEqual(machine.poll(WITH, MISSING), {
    origin: "host",
    changed: true,
    done: "look",
    notices: [CHANGED],
  });
});

Deno.test("stepLocal() looks at nothing without the host's consent", () => {
  const machine = new Machine();
  assert.deepEqual(machine.poll(WITHOUT, present("1")), {
    origin: "host",
    changed: true,
    done: "",
    notices: [],
  });
  assert.equal(machine.poll(WITHOUT, present("2")).changed, false);
});

Deno.test("stepLocal() forgets the file when the host takes its consent back, and reads it anew after", () => {
  const machine = new Machine();
  machine.poll(WITH, present("1"), REFUSED);
  assert.deepEqual(machine.poll(WITHOUT), {
    origin: "host",
    changed: true,
    done: "",
    notices: [CHANGED],
  });
  assert.deepEqual([machine.state.file.kind, machine.state.failed], ["unknown", false]);
  assert.deepEqual(machine.poll(WITH, present("1"), good("1")).done, "look read");
  assert.equal(machine.state.effective?.item.id, "x-useLocalFileRules-true_f");
});

Deno.test("stepLocal() reads again when the host's item changes", () => {
  const machine = new Machine();
  machine.poll(WITH, present("1"), good("1"));
  const other = item(true, "deny");
  assert.equal(machine.poll(other, present("1"), good("1")).done, "look read");
  assert.equal(machine.state.effective?.remote, other);
  machine.poll(other, present("2"), REFUSED);
  const third = item(true);
  assert.equal(machine.poll(third, present("2"), REFUSED).changed, true);
  assert.equal(machine.state.effective?.remote, third);
});

Deno.test("stepLocal() has no rules where the host has no item", () => {
  const machine = new Machine();
  assert.deepEqual(machine.poll(null), { origin: null, changed: false, done: "", notices: [] });
  machine.poll(WITH, present("1"), good("1"));
  assert.deepEqual(machine.poll(null), {
    origin: null,
    changed: true,
    done: "",
    notices: [CHANGED],
  });
});

Deno.test("stepLocal() closes with the cause, denies, and keeps the mode", () => {
  const machine = new Machine();
  machine.poll(WITH, present("1"), REFUSED);
  const { effective } = machine.state;
  assert.equal(effective?.closedBecause, "the local rule file cannot be used: not JSON");
  assert.deepEqual([effective?.item.defaultAccess, effective?.item.mode], ["deny", "audit"]);
});
