/** Fields that keep what is typed to themselves for a moment: a page that goes away has them hand it over first. */
const fields = new Set<() => void>();

/** Returns the way to stop. */
export function keepsText(hand: () => void): () => void {
  fields.add(hand);
  return () => void fields.delete(hand);
}

export function handOverTexts(): void {
  for (const hand of [...fields]) hand();
}
