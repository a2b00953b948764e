/** Names of at most this many letters are abbreviations (lr, eps). */
const ABBREVIATION = 3;

/** A setting or an input as a label: "batch_size" -> "Batch size". Abbreviations stay as people write them: "lr". */
export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  if (words.length <= ABBREVIATION) return words;
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}
