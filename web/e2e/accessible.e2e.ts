import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { describe, expect, it } from "vitest";
import type { Editor } from "./editor";
import { makeStage } from "./support";
import { text } from "./texts";
import { toyGraph } from "./toy";

const stage = makeStage();
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

for (const language of ["en", "zh-CN"] as const) {
  for (const theme of ["light", "dark"] as const) {
    describe(`${language}, ${theme}`, () => {
      it("has nothing on its main screens that keeps people out", async () => {
        const editor = await stage.open({ locale: language, colorScheme: theme });
        const { page, server } = editor;
        const t = (key: string) => text(language, key);
        await ran(editor);
        expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe(theme);
        await page.evaluate(AXE);
        const faults: string[] = [];
        const look = async (screen: string) => faults.push(...(await faultsOf(editor, screen)));

        // 1 the graph, with a node chosen and its settings open
        await editor.node("lora").click({ position: { x: 40, y: 8 } });
        await page.getByRole("tab", { name: t("shell.outline"), exact: true }).click();
        await page.getByRole("tree").waitFor();
        await look("the graph");
        // 2 a run with its curve and its pictures
        for (const panel of ["dock.runs", "dock.gallery", "dock.loss"]) {
          await page.getByRole("tab", { name: new RegExp(`^${t(panel)}`) }).click();
          await look(panel);
        }
        // 3 a search to add
        await editor.node("lora").click({ position: { x: 40, y: 8 } });
        await page.keyboard.press("/");
        await page.getByRole("option").first().waitFor();
        await look("the search");
        await page.keyboard.press("Escape");
        // 4 a dialog
        await editor.button(t("shell.file")).click();
        await page.getByRole("menuitem", { name: t("shell.trainOnPictures") }).click();
        await page.getByRole("dialog", { name: t("trainOn.title") }).waitFor();
        await look("the training dialog");
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
        // 5 the templates
        await editor.button(t("shell.templates")).click();
        await page.getByRole("dialog").locator("img").first().waitFor({ state: "attached" });
        await look("the templates");
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
        // 6 the form
        await page.getByRole("radio", { name: t("shell.view.form") }).click();
        await page.getByRole("region", { name: t("formView.run") }).waitFor();
        await look("the form");
        expect((await server.jobs()).length).toBeGreaterThan(0);
        expect([...new Set(faults)]).toEqual([]);
      });
    });
  }
}

let first = true;

/** A run to look at: made once, for the first of the pages. */
async function ran(editor: Editor): Promise<void> {
  const { server } = editor;
  if (!first) return;
  first = false;
  const { id } = await server.post<{ id: string }>("/api/jobs", { graph: toyGraph("Looked at"), title: "Looked at" });
  expect((await server.ended(id)).status).toBe("done");
}

/** What axe has against a screen that is serious. */
async function faultsOf(editor: Editor, screen: string): Promise<string[]> {
  const found = await editor.page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) =>
        nodes.map(({ html, any }) => `${id}: ${html.slice(0, 200)} ${any[0]?.message ?? ""}`),
      );
  });
  return found.map((fault) => `${screen}: ${fault}`);
}
