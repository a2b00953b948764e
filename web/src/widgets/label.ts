import type { Json } from "../api/schema";

/** Names of at most this many letters are abbreviations (lr, eps). */
const ABBREVIATION = 3;

/** A setting or an input as a label: "batch_size" -> "Batch size". Abbreviations stay as people write them: "lr". */
export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  if (words.length <= ABBREVIATION) return words;
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** Letters that stand beside a label in a node. */
const BESIDE = 12;

/** A value as one line of text: of a list or a table, what is in it. */
export function valueText(value: Json): string {
  if (typeof value !== "object" || value === null) return String(value);
  const inner = (item: Json) => (typeof item === "string" ? item : JSON.stringify(item));
  if (Array.isArray(value)) return value.map(inner).join(", ");
  return Object.entries(value)
    .map(([name, item]) => `${name}: ${inner(item)}`)
    .join(", ");
}

/** Whether a value needs the whole width of a node, below its label. */
export function isLong(value: Json): boolean {
  const words = typeof value === "string" || (typeof value === "object" && value !== null);
  return words && valueText(value).length > BESIDE;
}
