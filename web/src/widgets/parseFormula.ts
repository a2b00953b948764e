import { type Row, SIGNS } from "./formula";

/** What is wrong with a line of a formula, counted from 1; `why` is the end of the key of its text. */
interface Fault {
  line: number;
  why: "count" | "empty" | "name" | "operation" | "taken" | "unreadable";
  values: Record<string, string | number>;
}

const TOKEN = /[A-Za-z_]\w*|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|\S/g;
const WIRE = /^in(0|[1-9]\d{0,2})$/;

/**
 * The rows that a text says, a line each. A line may have a name, `diff = in0 - in1`, by which lines below speak of it;
 * without one it is called by its number, `row0`.
 */
export function parseFormula(text: string, operations: Readonly<Record<string, number>>): Row[] | Fault {
  const lines = text
    .split("\n")
    .flatMap((line, index) => (line.trim() ? [{ line: index + 1, tokens: tokens(line) }] : []));
  if (lines.length === 0) return { line: 1, why: "empty", values: {} };
  const named = new Set(lines.flatMap(({ tokens: [name, sign] }) => (name && sign === "=" ? [name] : [])));
  const rows: Row[] = [];
  const places = new Map<string, string>();
  for (const { line, tokens: found } of lines) {
    const labelled = found[1] === "=";
    const name = labelled ? (found[0] ?? "") : `row${rows.length}`;
    const fault = (why: Fault["why"], values: Fault["values"] = {}): Fault => ({
      line,
      why,
      values: { line, ...values },
    });
    if (WIRE.test(name) || !/^[A-Za-z_]/.test(name)) return fault("taken", { name });
    const said = expression(labelled ? found.slice(2) : found);
    if (!said) return fault("unreadable");
    const wanted = Object.hasOwn(operations, said.op) ? operations[said.op] : undefined;
    if (wanted === undefined) return fault("operation", { name: said.op, known: Object.keys(operations).join(", ") });
    if (wanted !== said.of.length) return fault("count", { name: said.op, count: wanted });
    const of: Row["of"] = [];
    for (const each of said.of) {
      const place = typeof each === "number" || WIRE.test(each) ? each : places.get(each);
      if (place === undefined) return fault("name", { name: String(each) });
      of.push(place);
    }
    if (labelled || !named.has(name)) places.set(name, `row${rows.length}`);
    rows.push({ op: said.op, of });
  }
  return rows;
}

/** The words, numbers and signs of a line, and whatever else is in it, letter by letter. */
function tokens(line: string): string[] {
  return line.match(TOKEN) ?? [];
}

/** One operation: `a - b`, `-a` or `name(a, b)`. */
function expression(found: readonly string[]): Row | null {
  const [op, open, ...rest] = found;
  if (op !== undefined && open === "(") {
    if (!/^[A-Za-z_]/.test(op) || rest.pop() !== ")") return null;
    const of: Row["of"] = [];
    for (let left: readonly string[] = rest; ; ) {
      const [value, after] = operand(left);
      if (value === null || (after.length > 0 && after[0] !== ",")) return null;
      of.push(value);
      if (after.length === 0) return { op, of };
      left = after.slice(1);
    }
  }
  const [one, [sign, ...right]] = operand(found);
  if (one === null) {
    const [value, after] = op === "-" ? operand(found.slice(1)) : [null, []];
    return typeof value === "string" && after.length === 0 ? { op: "neg", of: [value] } : null;
  }
  const named = Object.keys(SIGNS).find((name) => SIGNS[name] === sign);
  const [two, after] = operand(right);
  return named && two !== null && after.length === 0 ? { op: named, of: [one, two] } : null;
}

/** A name, or a number with its sign, and what follows it. */
function operand(found: readonly string[]): [string | number | null, readonly string[]] {
  const [first, second] = found;
  if (first === undefined) return [null, found];
  if (first === "-" && second !== undefined && isNumber(second)) return [-Number(second), found.slice(2)];
  if (isNumber(first)) return [Number(first), found.slice(1)];
  return /^[A-Za-z_]/.test(first) ? [first, found.slice(1)] : [null, found];
}

const isNumber = (token: string): boolean => /^[.\d]/.test(token);
