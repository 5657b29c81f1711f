/**
 * A `deno lint` plugin that finds no faults but plants them: every place where a small one can be made is reported as a
 * diagnostic whose message says what to write there. The runtime's own parser thereby tells code from types.
 *
 * @module
 */

/** What is written in place of a piece of a file. */
export interface Fault {
  /** What kind of mistake it is, for the report. */
  readonly kind: string;
  /** Offsets into the file, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** What stands there. */
  readonly original: string;
  readonly replacement: string;
}

const OPERATORS: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "===": "!==",
  "!==": "===",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "|": "&",
  "&": "|",
  "&&": "||",
  "||": "&&",
};
const ASSIGNMENTS: Readonly<Record<string, string>> = { "+=": "-=", "-=": "+=", "??=": "=" };
const METHODS: Readonly<Record<string, string>> = {
  startsWith: "endsWith",
  endsWith: "startsWith",
  some: "every",
  every: "some",
  indexOf: "lastIndexOf",
  lastIndexOf: "indexOf",
  toLowerCase: "toUpperCase",
  toUpperCase: "toLowerCase",
  replaceAll: "replace",
  shift: "pop",
  pop: "shift",
  push: "unshift",
};
/** Words of the program; sentences for people decide nothing. */
const WORD = /^[\w./:-]+$/;

const plugin: Deno.lint.Plugin = {
  name: "faults",
  rules: {
    plant: {
      create(context) {
        const source = context.sourceCode;
        const plant = (kind: string, range: Deno.lint.Range, replacement: string) => {
          const [start, end] = range;
          const original = source.text.slice(start, end);
          const fault: Fault = { kind, start, end, original, replacement };
          context.report({ range, message: JSON.stringify(fault) });
        };
        /** Where the operator between two operands stands. */
        const between = (left: Deno.lint.Node, right: Deno.lint.Node, operator: string) => {
          const gap = source.text.slice(left.range[1], right.range[0]);
          const start = left.range[1] + gap.indexOf(operator);
          return [start, start + operator.length] as Deno.lint.Range;
        };
        const condition = (test: Deno.lint.Expression) => {
          plant("condition true", test.range, "true");
          plant("condition false", test.range, "false");
        };
        return {
          BinaryExpression(node) {
            const flipped = OPERATORS[node.operator];
            if (flipped === undefined) return;
            plant("operator", between(node.left, node.right, node.operator), flipped);
          },
          LogicalExpression(node) {
            if (node.operator === "??") {
              plant("default dropped", node.range, `(${source.getText(node.left)})`);
              plant("default forced", node.range, `(${source.getText(node.right)})`);
              return;
            }
            const operator = between(node.left, node.right, node.operator);
            plant("operator", operator, OPERATORS[node.operator]!);
            plant("operand dropped", node.range, `(${source.getText(node.left)})`);
            plant("operand dropped", node.range, `(${source.getText(node.right)})`);
          },
          AssignmentExpression(node) {
            const other = ASSIGNMENTS[node.operator];
            if (other === undefined) return;
            plant("operator", between(node.left, node.right, node.operator), other);
          },
          UpdateExpression(node) {
            const other = node.operator === "++" ? "--" : "++";
            plant("operator", node.range, source.getText(node).replace(node.operator, other));
          },
          UnaryExpression(node) {
            if (node.operator === "!") plant("negation", node.range, source.getText(node.argument));
            if (node.operator === "-") plant("sign", node.range, source.getText(node.argument));
          },
          IfStatement(node) {
            condition(node.test);
          },
          WhileStatement(node) {
            plant("condition false", node.test.range, "false");
          },
          ForStatement(node) {
            if (node.test) plant("condition false", node.test.range, "false");
          },
          ConditionalExpression(node) {
            const [test, yes, no] = [node.test, node.consequent, node.alternate]
              .map((part) => source.getText(part));
            plant("branches swapped", node.range, `(${test} ? ${no} : ${yes})`);
          },
          ExpressionStatement(node) {
            plant("statement removed", node.range, ";");
          },
          ReturnStatement(node) {
            if (node.argument === null || node.argument === undefined) {
              plant("statement removed", node.range, ";");
            }
          },
          ContinueStatement(node) {
            plant("statement removed", node.range, ";");
          },
          BreakStatement(node) {
            plant("statement removed", node.range, ";");
          },
          Literal(node) {
            const { parent } = node;
            if (parent.type.startsWith("TS") || parent.type.startsWith("Import")) return;
            if (parent.type.startsWith("Export")) return;
            if (parent.type === "Property" && parent.key.range[0] === node.range[0]) return;
            if (typeof node.value === "number") {
              plant("number", node.range, `(${node.raw} + 1)`);
              if (node.value > 0) plant("number", node.range, `(${node.raw} - 1)`);
            } else if (typeof node.value === "boolean") {
              plant("boolean", node.range, String(!node.value));
            } else if (typeof node.value === "string") {
              if (node.value === "") plant("text", node.range, '"x"');
              else if (node.value.length === 1 || WORD.test(node.value)) {
                plant("text", node.range, '""');
              }
            } else if ("regex" in node) {
              plantPatterns(node.raw, (raw) => plant("pattern", node.range, raw));
            }
          },
          CallExpression(node) {
            const { callee } = node;
            if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return;
            const other = METHODS[callee.property.name];
            if (other !== undefined) plant("method", callee.property.range, other);
          },
        };
      },
    },
  },
};
export default plugin;

/** Anchors, flags, negations and repetitions of a regular expression, one left out or turned round at a time. */
function plantPatterns(raw: string, plant: (raw: string) => void): void {
  const end = raw.lastIndexOf("/");
  const body = raw.slice(1, end);
  const flags = raw.slice(end + 1);
  const write = (other: string, otherFlags = flags) => {
    if (other !== "") plant(`/${other}/${otherFlags}`);
  };
  if (body.startsWith("^")) write(body.slice(1));
  if (body.endsWith("$") && !body.endsWith("\\$")) write(body.slice(0, -1));
  if (body.includes("[^")) write(body.replace("[^", "["));
  else if (/(?<!\\)\[/.test(body)) write(body.replace(/(?<!\\)\[/, "[^"));
  if (body.includes("(?!")) write(body.replace("(?!", "(?="));
  if (/[^\\]\*/.test(body)) write(body.replace(/([^\\])\*/, "$1+"));
  if (/[^\\]\+/.test(body)) write(body.replace(/([^\\])\+/, "$1*"));
  if (/\{(\d+)\}/.test(body)) {
    write(body.replace(/\{(\d+)\}/, (_, count: string) => `{${Number(count) + 1}}`));
  }
  for (const flag of ["i", "g"]) {
    if (flags.includes(flag)) write(body, flags.replace(flag, ""));
  }
}
