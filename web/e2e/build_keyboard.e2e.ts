import type { Locator } from "playwright-core";
import { expect, it } from "vitest";
import type { Editor } from "./editor";
import { until } from "./server";
import { makeStage } from "./support";
import { PIECES, SETTINGS, STEPS, toyGraph, WIRES } from "./toy";

const stage = makeStage();

it("builds the same training by keyboard alone, runs it and reads its loss", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  // The mouse is out of the game: a click would fail the test.
  await page.evaluate(() => {
    const refuse = (event: Event) => {
      if (event instanceof PointerEvent && event.pointerType === "mouse") throw new Error("the mouse was used");
    };
    window.addEventListener("pointerdown", refuse, true);
  });
  await page.keyboard.press("Alt+n");
  await editor.node("train").waitFor({ state: "detached" });

  const [first, ...others] = PIECES;
  await page.keyboard.press("/");
  await page.getByRole("combobox").waitFor();
  await page.keyboard.type(first?.type ?? "");
  await page.keyboard.press("Enter");
  await editor.node(first?.id ?? "").waitFor();
  let owner: string | undefined;
  for (const { id, type, inside } of others) {
    // What is added goes beside what is selected, into its region.
    if (inside !== owner) await editor.goTo(inside ?? first?.id ?? "");
    owner = inside;
    await add(editor, type);
    await editor.node(id).waitFor({ state: "attached" });
  }
  for (const [target, source] of Object.entries(WIRES)) await connect(editor, source, target);
  for (const { node, label, value } of SETTINGS) {
    await editor.goTo(node);
    await page.keyboard.press("Enter");
    await expect.poll(() => region(editor)).toBe("right");
    await tabTo(editor, label);
    await page.keyboard.press("Control+a");
    await page.keyboard.type(String(Array.isArray(value) ? value[0] : value));
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Control+s");
  await page.getByRole("dialog", { name: "Save as" }).waitFor();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("built by keyboard");
  await page.keyboard.press("Enter");
  await editor.said("Saved as built by keyboard");

  const saved = await server.saved("built by keyboard");
  const wanted = toyGraph("");
  expect(saved.edges).toEqual(wanted.edges);
  for (const [id, entry] of Object.entries(wanted.nodes)) {
    expect(saved.nodes[id]?.type, id).toBe(entry.type);
    expect(saved.nodes[id]?.in, id).toBe(entry.in);
    expect(saved.nodes[id]?.settings ?? {}, id).toMatchObject(entry.settings ?? {});
  }

  await page.keyboard.press("Control+Enter");
  const job = await editor.newJob(new Set());
  expect((await server.ended(job.id)).status).toBe("done");
  await command(editor, "Show the loss");
  const panel = editor.dock.getByRole("tabpanel", { name: "Loss" });
  await panel.getByRole("button", { name: "Show as a table" }).waitFor();
  await expect.poll(() => region(editor)).toBe("dock");
  await tabTo(editor, "Show as a table");
  await page.keyboard.press("Enter");
  await until(
    "the last step in the table",
    async () => {
      const steps = await panel.getByRole("rowheader").allInnerTexts();
      return steps.includes(String(STEPS)) || null;
    },
    60_000,
  );
  await command(editor, "Show the gallery");
  await editor.dock.getByRole("tabpanel", { name: "Gallery" }).getByRole("option").first().waitFor();
});

/** Ctrl+K, words, Enter. */
async function command(editor: Editor, words: string): Promise<void> {
  const { keyboard } = editor.page;
  await keyboard.press("Control+k");
  const palette = editor.page.getByRole("dialog", { name: "Commands" });
  await palette.waitFor();
  await keyboard.type(words);
  await palette.getByRole("option", { selected: true }).filter({ hasText: words }).waitFor();
  await keyboard.press("Enter");
  await palette.waitFor({ state: "hidden" });
}

/** From wherever the keyboard is to the palette, and its first hit onto the canvas. */
async function add(editor: Editor, type: string): Promise<void> {
  const { keyboard } = editor.page;
  for (let i = 0; i < 4 && (await region(editor)) !== "left"; i++) await keyboard.press("Shift+F6");
  // The panel gives the focus back to the hit of last time; the field is before it.
  for (let i = 0; i < 4 && (await focused(editor, "aria-label")) !== "Find a node"; i++)
    await keyboard.press("Shift+Tab");
  expect(await focused(editor, "aria-label")).toBe("Find a node");
  await keyboard.press("Control+a");
  await keyboard.type(type);
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await expect.poll(() => focused(editor, "data-id")).not.toBeNull();
}

/** C on a node, one of its ports, and a port of another node by name. */
async function connect(editor: Editor, source: string, target: string): Promise<void> {
  const { page } = editor;
  await editor.goTo(source.split(".")[0] ?? "");
  await page.keyboard.press("c");
  const chooser = page.getByRole("dialog", { name: "Make a wire" });
  await chooser.waitFor();
  await page.keyboard.type(source);
  await chooser.getByRole("option").first().waitFor();
  for (let below = await outputsBelow(chooser, source); below > 0; below--) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await chooser.getByText(`Connect ${source} to`).first().waitFor();
  await page.keyboard.type(target.replace(/\.\d+$/, ""));
  await chooser.getByRole("option").first().waitFor();
  await page.keyboard.press("Enter");
  await editor.wire(source, target).waitFor({ state: "attached" });
}

/** How far down the list the output is: targets come first. */
async function outputsBelow(chooser: Locator, source: string): Promise<number> {
  const [, port = ""] = source.split(".");
  const names = await chooser.getByRole("option").allTextContents();
  const own = names.flatMap((name, index) => (name.startsWith(port) ? [index] : []));
  return own.at(-1) ?? 0;
}

/** Tab on until the field or button of this name has the focus. */
async function tabTo(editor: Editor, name: string): Promise<void> {
  for (let i = 0; i < 80; i++) {
    if ((await focusedName(editor)) === name) return;
    await editor.page.keyboard.press("Tab");
  }
  throw new Error(`no Tab leads to "${name}"`);
}

/** The part of the page that the keyboard is in. */
function region(editor: Editor): Promise<string | undefined> {
  return editor.page.evaluate(
    () => document.activeElement?.closest<HTMLElement>("[data-region]")?.dataset.region ?? undefined,
  );
}

function focused(editor: Editor, attribute: string): Promise<string | null> {
  return editor.page.evaluate((name) => document.activeElement?.getAttribute(name) ?? null, attribute);
}

function focusedName(editor: Editor): Promise<string> {
  return editor.page.evaluate(() => {
    const element = document.activeElement;
    const label =
      element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement ? element.labels?.[0] : null;
    return element?.getAttribute("aria-label") ?? label?.textContent?.replace(/ \*$/, "") ?? "";
  });
}
