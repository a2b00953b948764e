import { expect, it } from "vitest";
import type { Opened } from "../src/api/schema";
import { labelOf } from "../src/widgets/label";
import { type Editor, literally } from "./editor";
import { makeStage } from "./support";
import { englishTexts, text } from "./texts";

const stage = makeStage();
const zh = (key: string): string => text("zh-CN", key);
const ENGLISH = englishTexts();
/** What the author of the graph, or of a node, called things: it is not the page that says this. */
const OWN = new Set<string>();
const HAN = /\p{Script=Han}/u;

it("speaks Chinese everywhere once it is switched, nodes and their help included, and stays so", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  const specs = new Map((await server.specs("zh-CN")).specs.map((spec) => [spec.id, spec]));
  await editor.button(text("en", "shell.language")).click();
  await page.getByRole("menuitemradio", { name: "中文" }).click();
  await editor
    .button(zh("shell.run"))
    .or(page.getByRole("button", { name: new RegExp(`^${zh("shell.run")}`) }))
    .first()
    .waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("zh-CN");
  const { graph } = await server.get<Opened>("/api/templates/quickstart/train_lora");
  for (const body of [graph, ...Object.values(graph.graphs)]) {
    for (const { title } of Object.values(body.nodes)) if (title) OWN.add(title);
    for (const { title } of body.view.frames ?? []) OWN.add(title);
  }
  // A setting and its choices are called in the form what they are called in the file and on the command line; their
  // help is translated.
  for (const { schema } of specs.values()) {
    for (const [name, setting] of Object.entries(schema.properties ?? {})) {
      OWN.add(labelOf(name));
      for (const value of setting.enum ?? []) OWN.add(String(value));
    }
  }
  await allChinese(editor, "the graph");

  // Nodes by their Chinese titles, help in Chinese
  for (const [id, entry] of Object.entries(graph.nodes)) {
    const title = entry.title ?? specs.get(entry.type)?.title;
    if (title === undefined) continue; // an instance of a subgraph is called what its author calls it
    expect(await editor.node(id).getAttribute("aria-label"), id).toMatch(new RegExp(`^${literally(title)}`));
    if (!entry.title && !/^[A-Z]/.test(title)) expect(title, entry.type).toMatch(HAN);
  }
  await editor.node("lora").click({ position: { x: 40, y: 8 } });
  const inspector = page.getByRole("region", { name: zh("shell.region.right"), exact: true });
  const lora = specs.get("plugin.lora");
  await inspector
    .getByText(lora?.help ?? "no help")
    .first()
    .waitFor();
  expect(lora?.help).toMatch(HAN);
  await allChinese(editor, "the inspector");

  for (const panel of ["shell.outline", "shell.files", "shell.palette"]) {
    await page.getByRole("tab", { name: zh(panel), exact: true }).click();
    await allChinese(editor, panel);
  }
  for (const panel of ["dock.problems", "dock.runs", "dock.loss", "dock.gallery", "dock.log"]) {
    await page.getByRole("tab", { name: new RegExp(`^${zh(panel)}`) }).click();
    await allChinese(editor, panel);
  }

  // A search in either language finds the node
  for (const words of ["noise.offset", specs.get("noise.offset")?.title ?? "", "offset"]) {
    await page.getByRole("searchbox", { name: zh("shell.palette.search") }).fill(words);
    await page.getByRole("button", { name: specs.get("noise.offset")?.title ?? "", exact: true }).waitFor();
  }

  for (const menu of ["shell.file", "shell.help", "shell.look", "shell.run.more"]) {
    await editor.button(zh(menu)).click();
    await page.getByRole("menu").waitFor();
    await allChinese(editor, menu);
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
  }
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: zh("shell.commands") }).waitFor();
  await allChinese(editor, "the commands");
  await page.keyboard.press("Escape");
  await editor.node("model").click({ position: { x: 40, y: 8 } });
  for (const [keys, title] of [
    ["?", "dialogs.shortcuts.title"],
    ["Control+Shift+s", "dialogs.saveAs.title"],
  ] as const) {
    await page.keyboard.press(keys);
    await page.getByRole("dialog", { name: zh(title) }).waitFor();
    await allChinese(editor, title);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  await editor.button(zh("shell.templates")).click();
  await page.getByRole("dialog").locator("img").first().waitFor({ state: "attached" });
  await allChinese(editor, "the templates");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await editor.button(zh("shell.file")).click();
  await page.getByRole("menuitem", { name: zh("shell.trainOnPictures") }).click();
  await page.getByRole("dialog", { name: zh("trainOn.title") }).waitFor();
  await allChinese(editor, "the training dialog");
  await page.keyboard.press("Escape");
  await page.getByRole("radio", { name: zh("shell.view.form") }).click();
  await page.getByRole("region", { name: zh("formView.run") }).waitFor();
  await allChinese(editor, "the form");

  // A fault, said in Chinese: the name of the file that is no graph stays what it is
  await editor.drop(page.getByRole("main"), [{ name: "page.html", type: "text/html", bytes: Buffer.from("<p>") }]);
  await page.getByText(zh("shell.drop.unknown")).first().waitFor();

  await page.reload();
  await page
    .getByRole("button", { name: new RegExp(`^${zh("shell.run")}`) })
    .first()
    .waitFor();
  await allChinese(editor, "the page, loaded again");
});

/** No text, name, hint or placeholder on the page is one of the English ones. */
async function allChinese(editor: Editor, where: string): Promise<void> {
  const said = await editor.page.evaluate(() => {
    const found = new Set<string>();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (!parent || parent.closest("script, style, code, textarea") || !parent.checkVisibility()) continue;
      found.add((node.textContent ?? "").trim());
    }
    for (const element of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
      if (!element.checkVisibility()) continue;
      for (const name of ["aria-label", "title", "placeholder"]) found.add(element.getAttribute(name)?.trim() ?? "");
    }
    return [...found].filter(Boolean);
  });
  const english = said.filter((one) => !OWN.has(one) && ENGLISH.some((pattern) => pattern.test(one)));
  expect(english, where).toEqual([]);
}
