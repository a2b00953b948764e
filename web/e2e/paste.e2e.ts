import { expect, it } from "vitest";
import type { Editor } from "./editor";
import { plainPng } from "./pictures";
import { makeStage } from "./support";
import { drawingGraph } from "./toy";

const stage = makeStage();

/** Put a text or a picture into the clipboard of the browser, as another program does. */
async function hold(editor: Editor, content: string | Buffer): Promise<void> {
  await editor.page.evaluate(
    async ([text, base64]) => {
      if (text !== null) return navigator.clipboard.writeText(text ?? "");
      const bytes = Uint8Array.from(atob(base64 ?? ""), (letter) => letter.charCodeAt(0));
      const blob = new Blob([bytes], { type: "image/png" });
      await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    },
    typeof content === "string" ? [content, null] : [null, content.toString("base64")],
  );
}

it("pastes what the clipboard holds now: nodes, a whole graph, a picture; also after a click on a tab", async () => {
  const editor = await stage.open({ permissions: ["clipboard-read", "clipboard-write"] });
  const { page } = editor;
  await editor.openSaved("pasted", drawingGraph("Pasted"));
  await editor.select("prompt");
  await page.keyboard.press("Control+c");
  await page
    .getByRole("status")
    .filter({ hasText: /copied/i })
    .first()
    .waitFor({ state: "attached" });
  await editor.tab("pasted").click();
  await page.keyboard.press("Control+v");
  await editor.node("prompt_2").waitFor();

  // Something else is copied elsewhere: the nodes from before are not meant any more.
  await hold(editor, await plainPng(page, "#336699"));
  await page.keyboard.press("Control+v");
  await editor.node("load_2").waitFor();
  const { graph } = await editor.document();
  expect(graph.nodes.load_2?.type).toBe("image.load");
  expect(graph.nodes.load_2?.settings?.path).toMatch(/^data:uploads\/.*\.png$/);
  expect(Object.keys(graph.nodes).filter((id) => id.startsWith("prompt"))).toEqual(["prompt", "prompt_2"]);

  await hold(editor, JSON.stringify(drawingGraph("From the clipboard")));
  await editor.tab("pasted").click();
  await page.keyboard.press("Control+v");
  await editor.tab("From the clipboard").and(page.locator('[aria-current="page"]')).waitFor();
  await editor.node("denoise").waitFor();

  await hold(editor, "just words");
  await page.keyboard.press("Control+v");
  await editor.said("The clipboard holds no nodes, no graph and no picture");
  await editor.closeMessages();

  // In a field the text is meant for the field.
  await editor.select("denoise");
  const seed = editor.inspector.getByRole("spinbutton", { name: "Seed", exact: true });
  await hold(editor, "4242");
  await seed.click();
  await seed.press("Control+a");
  await seed.press("Control+v");
  expect(await seed.inputValue()).toBe("4242");
});

it("makes a node of a plain picture that is dropped, PNG or not, and opens the graph of one that has it", async () => {
  const editor = await stage.open();
  const { page } = editor;
  await editor.openSaved("dropped", drawingGraph("Dropped"));
  const tabs = page.getByRole("navigation", { name: "Open graphs" }).getByRole("listitem");
  const count = await tabs.count();
  const png = await plainPng(page, "#993366");
  await editor.drop(editor.canvas, [{ name: "plain.png", type: "image/png", bytes: png }]);
  await editor.node("load_2").waitFor();
  const { graph } = await editor.document();
  expect(graph.nodes.load_2).toMatchObject({ type: "image.load" });
  expect(await tabs.count()).toBe(count);
});
