import { expect, it } from "vitest";
import { makeStage } from "./support";

const stage = makeStage();

it("says what the graph in front would train on, and where it has no pictures", async () => {
  const editor = await stage.open();
  const { page } = editor;
  await editor.dock.getByRole("tab", { name: "Data" }).click();
  const panel = editor.dock.getByRole("tabpanel", { name: "Data" });
  await panel.getByText("The data has been read.").waitFor();
  // Twelve cats of 64 pixels, their captions as the text encoder gets them, and one of the pictures as it is cropped.
  const bucket = panel.getByRole("button", { name: /^Show the pictures of 64/ });
  expect(await panel.getByRole("row").filter({ hasText: "64" }).textContent()).toContain("12");
  await panel.getByText("smiling cat with heart-eyes").first().waitFor();
  await bucket.click();
  const pictures = panel.locator("img");
  await expect.poll(() => pictures.count()).toBeGreaterThanOrEqual(12);
  await expect
    .poll(() => pictures.evaluateAll((all) => all.every((one) => (one as HTMLImageElement).naturalWidth > 0)))
    .toBe(true);

  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Commands" });
  await palette.getByRole("combobox").fill("Show the data");
  await palette.getByRole("option", { selected: true }).filter({ hasText: "Show the data" }).waitFor();
  await page.keyboard.press("Escape");

  // A graph whose folder is not there: the panel says so and leads to the setting.
  const { nodes, ...rest } = (await editor.document()).graph;
  const cats = { type: "data.folder", version: 1, settings: { path: "data:nothing" } };
  await editor.openSaved("no pictures", { ...rest, nodes: { ...nodes, cats } });
  await panel.getByText("data:nothing").first().waitFor();
  await panel.getByRole("button", { name: /cats/ }).first().click();
  const field = editor.inspector.getByRole("textbox", { name: "Path" });
  await expect.poll(() => field.evaluate((one) => one === document.activeElement)).toBe(true);
});
