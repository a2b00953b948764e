import type { NodeSpec } from "../api/schema";
import { categoryOf, type SpecIndex } from "./specs";

export interface Hit {
  spec: NodeSpec;
  score: number;
}

/**
 * Node types that fit a few words, best first; all of them, by category and title, for none. Every word has to be found
 * somewhere: in a title of any language, in the help, in the id, in the category.
 */
export function searchSpecs(query: string, specs: SpecIndex, lang: string): Hit[] {
  const words = wordsOf(query);
  const hits: Hit[] = [];
  for (const spec of specs.byId.values()) {
    let score = 0;
    for (const word of words) {
      const found = scoreOf(spec, word);
      score = found === 0 ? Number.NEGATIVE_INFINITY : score + found;
    }
    if (score > Number.NEGATIVE_INFINITY) hits.push({ spec, score });
  }
  const order = new Intl.Collator(lang);
  return hits.sort(
    (a, b) =>
      b.score - a.score ||
      categoryOf(a.spec.id).localeCompare(categoryOf(b.spec.id)) ||
      order.compare(a.spec.title, b.spec.title),
  );
}

const SPREAD = 8;

/** How well one word fits a node type; 0 for not at all. */
function scoreOf(spec: NodeSpec, word: string): number {
  const titles = [spec.title, spec.title_en ?? "", ...(spec.also ?? [])].map((title) => title.toLowerCase());
  const id = spec.id.toLowerCase();
  const last = id.slice(id.indexOf(".") + 1);
  let best = 0;
  for (const text of [...titles, last, id]) best = Math.max(best, inName(text, word));
  if (categoryOf(id).startsWith(word)) best = Math.max(best, 40);
  if (best > 0) return best;
  const help = `${spec.help} ${spec.help_en ?? ""}`.toLowerCase();
  if (help.includes(word)) return 15;
  return Math.max(0, ...[...titles, last].map((text) => (isSpread(text, word) ? SPREAD : 0)));
}

/** How well a text of the page fits what somebody typed, 0…100: exact, its start, the start of words, a part, its letters. */
export function matchOf(texts: readonly string[], query: string): number {
  const words = wordsOf(query);
  const plain = texts.map((text) => text.toLowerCase());
  const whole = Math.max(0, ...plain.map((text) => inName(text, words.join(" "))));
  const each = words.map((word) =>
    Math.max(0, ...plain.map((text) => inName(text, word) || (isSpread(text, word) ? SPREAD : 0))),
  );
  return Math.max(whole, each.includes(0) ? 0 : Math.min(...each) - 1);
}

function wordsOf(query: string): string[] {
  return query.trim().toLowerCase().normalize("NFKC").split(/\s+/).filter(Boolean);
}

function inName(text: string, word: string): number {
  if (text === "") return 0;
  if (text === word) return 100;
  if (text.startsWith(word)) return 80;
  if (text.split(/[\s._\-/()]+/).some((part) => part.startsWith(word))) return 60;
  return text.includes(word) ? 30 : 0;
}

/** Whether the letters stand in this order ("adno" in "add noise"); the first one has to begin a word. */
function isSpread(text: string, word: string): boolean {
  if (word.length < 3) return false;
  const starts = [...text.matchAll(/(?:^|[\s._-])(\S)/g)].map((found) => found.index + found[0].length - 1);
  return starts.some((start) => {
    let at = start - 1;
    for (const letter of word) {
      at = text.indexOf(letter, at + 1);
      if (at < 0) return false;
    }
    return text[start] === word[0];
  });
}
