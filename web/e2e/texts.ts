import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Language = "en" | "zh-CN";
export type Texts = Readonly<Record<string, string>>;

function read(language: Language): Texts {
  const folder = join(import.meta.dirname, "../src/i18n", language);
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return Object.assign({}, ...files.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))) as Texts;
}

const TEXTS: Readonly<Record<Language, Texts>> = { en: read("en"), "zh-CN": read("zh-CN") };

/** What the page says for a key. */
export function text(language: Language, key: string): string {
  const found = TEXTS[language][key];
  if (found === undefined) throw new Error(`no text '${key}'`);
  return found;
}

/** English words of the page that Chinese readers must not meet: those that the Chinese file says differently. */
export function englishTexts(): RegExp[] {
  const chinese = new Set(Object.values(TEXTS["zh-CN"]));
  return Object.entries(TEXTS.en).flatMap(([key, value]) => {
    const words = value.replace(/\{\{\w+\}\}/g, "").match(/[A-Za-z]{3,}/g) ?? [];
    if (TEXTS["zh-CN"][key] === value || chinese.has(value) || words.length === 0) return [];
    const pattern = value
      .split(/\{\{\w+\}\}/)
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".+");
    return [new RegExp(`^${pattern}$`)];
  });
}
