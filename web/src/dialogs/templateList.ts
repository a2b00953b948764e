import type { TemplateEntry } from "../api/schema";
import { matchOf } from "../graph/search";
import type { SpecIndex } from "../graph/specs";

/** What a list of templates can be narrowed to: a folder, what runs without files of one's own, or a node type. */
export type Tag = { kind: "group"; name: string } | { kind: "ready" } | { kind: "node"; type: string };

/** Categories whose nodes say what a graph is about; what reads and writes files says nothing. */
const TELLING = new Set(["plugin", "word", "controlnet", "vae"]);
const FILES = /\.(load|save|merge|load_part|save_part|apply|encode|decode|sample|calibrate|reconstruct)$/;
/** A tag that fits one template alone is its title again. */
const FEWEST = 2;

/** All tags of some templates: first steps before the other folders, then what is about the same kind of thing. */
export function tagsOf(entries: readonly TemplateEntry[]): Tag[] {
  const groups = [...new Set(entries.map((entry) => entry.groups))];
  groups.sort((a, b) => Number(b === "quickstart") - Number(a === "quickstart"));
  const types = [...new Set(entries.flatMap((entry) => entry.uses))].filter(
    (type) =>
      TELLING.has(type.split(".")[0] ?? "") &&
      !FILES.test(type) &&
      entries.filter((entry) => entry.uses.includes(type)).length >= FEWEST,
  );
  return [
    ...groups.map((name): Tag => ({ kind: "group", name })),
    { kind: "ready" },
    ...types.sort().map((type): Tag => ({ kind: "node", type })),
  ];
}

function hasTag(entry: TemplateEntry, tag: Tag): boolean {
  if (tag.kind === "group") return entry.groups === tag.name;
  return tag.kind === "ready" ? entry.needs.length === 0 : entry.uses.includes(tag.type);
}

/** The templates that have a tag and fit some words: by title, name, description, and the nodes in them; best first. */
export function fitting(
  entries: readonly TemplateEntry[],
  tag: Tag | null,
  query: string,
  specs: SpecIndex | null,
): TemplateEntry[] {
  const tagged = entries.filter((entry) => tag === null || hasTag(entry, tag));
  // what a beginner needs comes first; the rest as the server sorts it
  tagged.sort((a, b) => Number(b.groups === "quickstart") - Number(a.groups === "quickstart"));
  if (query.trim() === "") return tagged;
  const scored = tagged.map((entry): [number, TemplateEntry] => {
    const nodes = entry.uses.flatMap((type) => {
      const spec = specs?.byId.get(type);
      return [type, spec?.title, spec?.title_en, ...(spec?.also ?? [])].filter((text) => text !== undefined);
    });
    const own = matchOf([entry.title, entry.name], query);
    return [own > 0 ? 100 + own : matchOf([entry.title, entry.name, entry.description, ...nodes], query), entry];
  });
  return scored
    .filter(([score]) => score > 0)
    .sort(([a], [b]) => b - a)
    .map(([, entry]) => entry);
}
