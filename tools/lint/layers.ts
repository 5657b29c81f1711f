/**
 * House rules as a `deno lint` plugin: who may import whom, which rooms are pure, what may not be in the product's
 * files at all. The table itself is in `table.ts`; circles between rooms are found by `cycles.ts`, because a lint rule
 * sees one file at a time.
 *
 * @module
 */
import { judgeImport, type Place, placeOf } from "./table.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** Globals that read a clock, chance, the machine or the network. */
const IMPURE_GLOBALS = new Set([
  "Deno",
  "Promise",
  "console",
  "crypto",
  "fetch",
  "performance",
  "queueMicrotask",
  "setInterval",
  "setTimeout",
]);
/** Exports of `node:crypto` that draw random bytes. */
const RANDOM_IMPORTS = /^(random\w*|getRandomValues|generateKey\w*|webcrypto|subtle)$/;
/** Members of `Deno` that tie the running service to one operating system, or to its environment. */
const PLATFORM_MEMBERS = new Set(["build", "dlopen", "env"]);
/** Words that betray knowledge of the subject where there should be none. */
const SUBJECT_WORDS = /imds|wireserver|hostga|endorse|latch|endpoint/i;
const FORBIDDEN_FOLDERS = new Set(["common", "helpers", "misc", "shared", "utils"]);
const COLLECTIONS = new Set(["Array", "Map", "Set", "WeakMap", "WeakSet"]);

const plugin: Deno.lint.Plugin = {
  name: "layers",
  rules: {
    imports: {
      create(context) {
        const path = relativePath(context.filename);
        const judge = (node: Deno.lint.Node, specifier: string, typeOnly: boolean) => {
          const message = judgeImport(path, { specifier, typeOnly });
          if (message !== null) context.report({ node, message });
        };
        return {
          ImportDeclaration(node) {
            const typeOnly = node.importKind === "type" ||
              (node.specifiers.length > 0 &&
                node.specifiers.every((each) =>
                  each.type === "ImportSpecifier" && each.importKind === "type"
                ));
            judge(node, node.source.value, typeOnly);
          },
          ExportNamedDeclaration(node) {
            if (node.source === null) return;
            judge(node, node.source.value, node.exportKind === "type");
          },
          ExportAllDeclaration(node) {
            judge(node, node.source.value, node.exportKind === "type");
          },
          ImportExpression(node) {
            if (node.source.type === "Literal" && typeof node.source.value === "string") {
              judge(node, node.source.value, false);
            }
          },
        };
      },
    },

    purity: {
      create(context) {
        const { tier } = placeOf(relativePath(context.filename));
        const report = (node: Deno.lint.Node, message: string) => context.report({ node, message });
        if (tier === "agent") return platformVisitor(report);
        return tier === "domain" ? domainVisitor(report) : {};
      },
    },

    console: {
      create(context) {
        const path = relativePath(context.filename);
        const { tier } = placeOf(path);
        if (tier === "free" || path.startsWith("src/commands/") || path === "main.ts") return {};
        return {
          MemberExpression(node) {
            if (isIdentifier(node.object, "console")) {
              context.report({
                node,
                message: "only src/commands talks to the console; log instead",
              });
            }
          },
        };
      },
    },

    state: {
      create(context) {
        const path = relativePath(context.filename);
        if (placeOf(path).tier === "free" || path === "main.ts") return {};
        return {
          Program(node) {
            for (const statement of node.body) judgeTopLevel(context, statement);
          },
          ExportDefaultDeclaration(node) {
            context.report({ node, message: "no default exports: a name is the same everywhere" });
          },
        };
      },
    },

    names: {
      create(context) {
        const path = relativePath(context.filename);
        const place = placeOf(path);
        if (place.tier === "free") return {};
        return {
          Program(node) {
            const message = judgePath(path);
            if (message !== null) context.report({ node, message });
          },
          Identifier(node) {
            if (knowsSubject(place, node.name)) {
              context.report({
                node,
                message: `${place.tier} knows no word of the subject: \`${node.name}\``,
              });
            }
          },
        };
      },
    },
  },
};

export default plugin;

type Report = (node: Deno.lint.Node, message: string) => void;

function domainVisitor(report: Report): Deno.lint.LintVisitor {
  const asynchronous = (node: { async: boolean } & Deno.lint.Node) => {
    if (node.async) report(node, "domain is synchronous");
  };
  return {
    Identifier(node) {
      if (IMPURE_GLOBALS.has(node.name) && !isPropertyName(node)) {
        report(node, `domain is pure: no \`${node.name}\``);
      }
    },
    MemberExpression(node) {
      if (isMember(node, "Date", "now") || isMember(node, "Math", "random")) {
        report(node, "domain knows neither clock nor chance");
      }
    },
    NewExpression(node) {
      if (isIdentifier(node.callee, "Date") && node.arguments.length === 0) {
        report(node, "domain knows no clock");
      }
    },
    ImportSpecifier(node) {
      if (node.imported.type === "Identifier" && RANDOM_IMPORTS.test(node.imported.name)) {
        report(node, "domain draws no random bytes");
      }
    },
    AwaitExpression: (node) => report(node, "domain is synchronous"),
    ArrowFunctionExpression: asynchronous,
    FunctionDeclaration: asynchronous,
    FunctionExpression: asynchronous,
  };
}

function platformVisitor(report: Report): Deno.lint.LintVisitor {
  return {
    MemberExpression(node) {
      if (!isIdentifier(node.object, "Deno") || node.property.type !== "Identifier") return;
      const member = node.property.name;
      if (PLATFORM_MEMBERS.has(member) || member.startsWith("Unsafe")) {
        report(node, `agent is the same on every system: no \`Deno.${member}\``);
      }
    },
  };
}

/** Module-level variables, collections that wait to be filled, and statements that run on import. */
function judgeTopLevel(context: Deno.lint.RuleContext, statement: Deno.lint.Node): void {
  if (statement.type === "ExpressionStatement") {
    context.report({ node: statement, message: "no work at import time" });
  }
  const declaration = statement.type === "ExportNamedDeclaration" && statement.declaration
    ? statement.declaration
    : statement;
  if (declaration.type !== "VariableDeclaration" || declaration.declare) return;
  if (declaration.kind !== "const") {
    context.report({ node: declaration, message: "no module-level mutable state" });
    return;
  }
  for (const { init } of declaration.declarations) {
    const empty = init?.type === "NewExpression" && init.arguments.length === 0 &&
        init.callee.type === "Identifier" && COLLECTIONS.has(init.callee.name) ||
      init?.type === "ArrayExpression" && init.elements.length === 0;
    if (empty) context.report({ node: declaration, message: "no module-level mutable state" });
  }
}

function judgePath(path: string): string | null {
  const segments = path.split("/");
  const folder = segments.slice(0, -1).find((segment) => FORBIDDEN_FOLDERS.has(segment));
  if (folder !== undefined) return `a folder \`${folder}\` says nothing about what lives in it`;
  return segments.every((segment) => /^[a-z0-9_]+(\.ts)?$/.test(segment))
    ? null
    : "files and folders are named in snake_case";
}

function knowsSubject(place: Place, name: string): boolean {
  return (place.tier === "runtime" || place.tier === "ffi") && SUBJECT_WORDS.test(name);
}

/** True where an identifier is only the name of a property or of a member. */
function isPropertyName(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  if (parent.type === "MemberExpression") return parent.property === node && !parent.computed;
  return (parent.type === "Property" || parent.type === "PropertyDefinition" ||
    parent.type === "MethodDefinition" || parent.type === "TSPropertySignature" ||
    parent.type === "TSMethodSignature") && parent.key === node;
}

function isMember(node: Deno.lint.MemberExpression, object: string, property: string): boolean {
  return isIdentifier(node.object, object) && isIdentifier(node.property, property);
}

function isIdentifier(node: Deno.lint.Node, name: string): boolean {
  return node.type === "Identifier" && node.name === name;
}

function relativePath(filename: string): string {
  const path = filename.replaceAll("\\", "/");
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
}
