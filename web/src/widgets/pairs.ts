import type { Json, SettingSchema } from "../api/schema";

export type Scalar = string | number | boolean;

function readsAs(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Whether values other than texts are allowed. */
export function mixed(schema: SettingSchema): boolean {
  const values = schema.additionalProperties;
  return typeof values === "object" && values !== null && (values as SettingSchema).type !== "string";
}

/** A value as it is written in its field: a text that looks like a number or a truth value stands in quotes. */
export function scalarText(value: Json, onlyTexts: boolean): string {
  if (typeof value !== "string") return JSON.stringify(value);
  if (onlyTexts) return value;
  const read = readsAs(value);
  return read === undefined || (typeof read === "object" && read !== null) ? value : JSON.stringify(value);
}

/** What somebody wrote: a number, true or false where it reads as one; anything else is a text. */
export function scalarOf(text: string, onlyTexts: boolean): Scalar {
  if (onlyTexts) return text;
  const read = readsAs(text.trim());
  return typeof read === "number" || typeof read === "boolean" || typeof read === "string" ? read : text;
}

/** The object with one name changed, in the same place; null if the new name is taken or empty. */
export function renamed(pairs: Record<string, Json>, from: string, to: string): Record<string, Json> | null {
  if (to === from) return pairs;
  if (to === "" || Object.hasOwn(pairs, to)) return null;
  return Object.fromEntries(Object.entries(pairs).map(([name, value]) => [name === from ? to : name, value]));
}

/** "word", "word_2" …: a name that is free. */
export function freeName(pairs: Record<string, Json>, base: string): string {
  let name = base;
  for (let number = 2; Object.hasOwn(pairs, name); number += 1) name = `${base}_${number}`;
  return name;
}
