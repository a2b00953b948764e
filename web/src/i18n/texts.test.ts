import { expect, test } from "vitest";

type Texts = Record<string, string>;
const english = import.meta.glob<Texts>("./en/*.json", { eager: true, import: "default" });
const chinese = import.meta.glob<Texts>("./zh-CN/*.json", { eager: true, import: "default" });
const sources = import.meta.glob<string>(["../**/*.{ts,tsx}", "!../**/*.test.*"], {
  eager: true,
  query: "?raw",
  import: "default",
});

const owners = Object.keys(english).map((path) => path.replace("./en/", ""));
/** English has a form for one and one for many where Chinese may have one form only. */
const bare = (key: string) => key.replace(/_(one|other)$/, "");
const slots = (text: string) => [...text.matchAll(/\{\{\s*(\w+)[^}]*\}\}/g)].map((found) => found[1]).sort();
const all = Object.assign({}, ...Object.values(english)) as Texts;

test.each(owners)("%s says the same in both languages", (owner) => {
  const en = english[`./en/${owner}`] ?? {};
  const zh = chinese[`./zh-CN/${owner}`] ?? {};
  const keys = (texts: Texts) => [...new Set(Object.keys(texts).map(bare))].sort();
  expect(keys(zh)).toEqual(keys(en));
  for (const [key, text] of Object.entries(zh)) {
    const original = en[key] ?? en[`${bare(key)}_other`] ?? en[bare(key)] ?? "";
    expect([key, ...new Set(slots(text))]).toEqual([key, ...new Set(slots(original))]);
    expect(text.trim(), key).not.toBe("");
  }
});

test("no key belongs to two owners, and every key names its owner", () => {
  for (const owner of owners) {
    const name = owner.replace(".json", "");
    const strange = Object.keys(english[`./en/${owner}`] ?? {}).filter((key) => !key.startsWith(`${name}.`));
    expect(strange, owner).toEqual([]);
  }
});

test("every text that the sources ask for by its full key is there", () => {
  const texts = Object.values(sources).join("\n");
  const known = new Set(Object.keys(all).map(bare));
  // A command may be called as its owner is: "canvas.copy".
  const commands = new Set([...texts.matchAll(/\bid: "([\w.]+)"/g)].map((found) => found[1]));
  const prefixes = owners.map((owner) => owner.replace(".json", "")).join("|");
  const asked = new RegExp(`["'\`]((?:${prefixes})\\.[A-Za-z0-9_.]*[A-Za-z0-9_])["'\`]`, "g");
  const missing = new Set<string>();
  for (const [, key] of texts.matchAll(asked)) if (key && !known.has(key) && !commands.has(key)) missing.add(key);
  expect([...missing]).toEqual([]);
});

test("every command that a button or a menu runs exists", () => {
  const texts = Object.values(sources).join("\n");
  const commands = new Set([...texts.matchAll(/\bid: "([\w.]+)"/g)].map((found) => found[1]));
  const run = [...texts.matchAll(/(?:runCommand\(|keysOf\(|<CommandItem id=|<Do id=)"([\w.]+)"/g)].map(
    (found) => found[1],
  );
  expect(run.length).toBeGreaterThan(10);
  expect(run.filter((id) => !commands.has(id))).toEqual([]);
});
