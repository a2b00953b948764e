import { expect, it } from "vitest";
import type { Editor } from "./editor";
import { makeStage } from "./support";

const stage = makeStage();
const EDITS = 50;

it("takes back fifty random edits, to the byte and the hash it started with, and does them again", async () => {
  const editor = await stage.open();
  const { page } = editor;
  const start = await editor.document();
  expect(start.hash).not.toBeNull();
  const random = generator(20_261);
  const edits = editsOf(editor, random);

  let last = -1;
  for (let i = 0; i < EDITS; i++) {
    // Two moves of one node right after another are one step: never the same edit twice in a row.
    let which = Math.floor(random() * edits.length);
    if (which === last) which = (which + 1) % edits.length;
    last = which;
    await edits[which]?.(i);
    // What is no edit: a look elsewhere.
    if (i % 7 === 0) await page.keyboard.press(".");
    if (i % 11 === 0) await editor.goTo("model");
  }
  const end = await editor.document();
  expect(end.hash).not.toBe(start.hash);

  expect(await all(editor, "Undo", "Control+z")).toBe(EDITS);
  const back = await editor.document();
  expect(back.text).toBe(start.text);
  expect(back.hash).toBe(start.hash);

  expect(await all(editor, "Redo", "Control+y")).toBe(EDITS);
  const again = await editor.document();
  expect(again.text).toBe(end.text);
});

/** Numbers of which every run of the test has the same. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Press until there is nothing left; how often. */
async function all(editor: Editor, name: string, keys: string): Promise<number> {
  const button = editor.button(new RegExp(`^${name}\\b`)).first();
  let presses = 0;
  for (; await button.isEnabled(); presses++) {
    const before = presses;
    await editor.page.keyboard.press(keys);
    if (before > 3 * EDITS) throw new Error(`${name} has no end`);
  }
  return presses;
}

/** Edits of every kind, each of them one step. They leave the nodes that others need. */
function editsOf(editor: Editor, random: () => number): ((turn: number) => Promise<void>)[] {
  const { page } = editor;
  const { keyboard } = page;
  const kept = ["cats", "loader", "lora", "optimizer", "prompts", "grid", "train", "check"];
  const some = () => kept[Math.floor(random() * kept.length)] ?? "model";
  const added: string[] = [];
  const ids = async () =>
    editor.canvas.getByRole("group").evaluateAll((all) => all.map((one) => one.getAttribute("data-id")));
  let captions = "nothing";

  const add = async () => {
    const before = new Set(await ids());
    await editor.add("value.float");
    await expect.poll(async () => (await ids()).some((id) => id !== null && !before.has(id))).toBe(true);
    added.push((await ids()).find((id) => id !== null && !before.has(id)) ?? "");
  };
  return [
    add,
    async () => {
      const id = added.pop();
      if (id === undefined) return add();
      await editor.goTo(id);
      await keyboard.press("Delete");
      await editor.node(id).waitFor({ state: "detached" });
    },
    async () => {
      await editor.goTo(some());
      await keyboard.press(random() < 0.5 ? "ArrowRight" : "ArrowDown");
    },
    async () => {
      await editor.goTo(some());
      await keyboard.press("Control+m");
    },
    async () => {
      await editor.goTo("prompts");
      await keyboard.press("Control+d");
    },
    async (turn) => {
      await editor.goTo(some());
      await keyboard.press("F2");
      await page.getByRole("textbox", { name: "Title of the node" }).fill(`Title ${turn}`);
      await keyboard.press("Enter");
    },
    async (turn) => {
      await editor.goTo("train");
      await editor.fill("Steps", 100 + turn);
    },
    async () => {
      await editor.goTo(some());
      await keyboard.press("Control+g");
      // Its title waits to be written: it keeps the one it has.
      await page.getByRole("textbox", { name: "Title of the frame" }).waitFor();
      await keyboard.press("Escape");
    },
    async () => {
      await editor.goTo(captions);
      await keyboard.press("c");
      const chooser = page.getByRole("dialog", { name: "Make a wire" });
      await chooser.getByRole("combobox").fill(`${captions}.out`);
      await keyboard.press("Enter");
      await chooser.getByText(`Connect ${captions}.out to`).first().waitFor();
      await chooser.getByRole("combobox").fill("after.captions");
      await keyboard.press("Enter");
      await editor.wire(`${captions}.out`, "after.captions").waitFor({ state: "attached" });
      captions = captions === "nothing" ? "prompts" : "nothing";
    },
  ];
}
