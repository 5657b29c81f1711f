import { type CallerClaims, type Question, questionOf } from "../../src/domain/policy/mod.ts";
import type { AuthorizationItem, Identity, Privilege } from "../../src/domain/wire/mod.ts";

/** What the privileges have in common. `paths`: nothing. `one-path`: all of them one path, told apart by a parameter. */
export type RuleShape = "paths" | "one-path";

/** An item of `count` privileges, each with a role, two identities and requests for it. */
export function makeRules(count: number, shape: RuleShape): AuthorizationItem {
  const numbers = Array.from({ length: count }, (_, at) => at);
  return {
    id: "bench",
    defaultAccess: "deny",
    mode: "enforce",
    rules: {
      privileges: numbers.map((at) => makePrivilege(at, shape)),
      roles: numbers.map((at) => ({ name: `role${at}`, privileges: [`privilege${at}`] })),
      identities: numbers.map(makeIdentity),
      roleAssignments: numbers.map((at) => ({
        role: `role${at}`,
        identities: [`identity${at}`, `identity${(at * 7) % count}`],
      })),
    },
    source: new Map(),
  };
}

function makePrivilege(at: number, shape: RuleShape): Privilege {
  const name = `privilege${at}`;
  if (shape === "one-path") {
    const queryParameters = new Map([["resource", `https://account${at}.azure.net/`]]);
    return { name, path: "/metadata/identity/oauth2/token", queryParameters };
  }
  const queryParameters = at % 3 === 0 ? new Map([["api-version", "2021-02-01"]]) : null;
  return { name, path: `/metadata/area${at % 97}/thing${at}/detail`, queryParameters };
}

function makeIdentity(at: number): Identity {
  return {
    name: `identity${at}`,
    userName: `user${at % 500}`,
    groupName: null,
    exePath: at % 2 === 0 ? null : `/usr/bin/tool${at}`,
    processName: null,
  };
}

/** Requests that the rules grant, spread over all of them. */
export function makeQuestions(item: AuthorizationItem, most: number): Question[] {
  const { privileges, identities } = item.rules!;
  const count = privileges!.length;
  return Array.from({ length: most }, (_, each) => {
    const at = (each * 7_919) % count;
    const { path, queryParameters } = privileges![at]!;
    const resource = queryParameters?.get("resource");
    const query = resource === undefined
      ? "api-version=2021-02-01"
      : `api-version=2018-02-01&resource=${encodeURIComponent(resource)}`;
    return questionOf("GET", `${path}?${query}`, claimsOf(identities![at]!));
  });
}

function claimsOf({ userName, exePath }: Identity): CallerClaims {
  const processFullPath = exePath ?? "/usr/bin/curl";
  const processName = processFullPath.slice(processFullPath.lastIndexOf("/") + 1);
  return { userName, userGroups: ["users", "adm"], processName, processFullPath, elevated: true };
}
