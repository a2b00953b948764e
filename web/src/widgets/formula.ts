import type { Json } from "../api/schema";

/** A row of a formula: one operation of wires (`in0`), rows before it (`row0`) and numbers. */
export type Row = {
  op: string;
  of: (string | number)[];
};

/** Operations that stand between their two values. */
export const SIGNS: Readonly<Record<string, string>> = { add: "+", sub: "-", mul: "*", div: "/" };
/** Whether a value is a list of rows, which can be written as text. */
export function areRows(value: Json): value is Json[] & Row[] {
  return Array.isArray(value) && value.every(isRow);
}

function isRow(item: Json): boolean {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return false;
  const { op, of, ...rest } = item;
  const known =
    Array.isArray(of) && of.length > 0 && of.every((one) => typeof one === "string" || typeof one === "number");
  return typeof op === "string" && known && Object.keys(rest).length === 0;
}

/** Rows as text, a line each: `row0 = in0 - in1`. */
export function formulaText(rows: readonly Row[]): string {
  return rows.map((row, index) => `row${index} = ${rowText(row)}`).join("\n");
}

function rowText({ op, of }: Row): string {
  const [one, two] = of;
  const sign = SIGNS[op];
  if (sign && of.length === 2) return `${one} ${sign} ${two}`;
  return op === "neg" && of.length === 1 && typeof one === "string" ? `-${one}` : `${op}(${of.join(", ")})`;
}
