import { expect, it } from "vitest";
import { makeStage } from "./support";
import { drawingGraph } from "./toy";

const stage = makeStage();

it("keeps a number that it does not take in sight, and says why", async () => {
  const editor = await stage.open();
  const { page, inspector } = editor;
  await editor.openSaved("refused", drawingGraph("Refused"));
  await editor.select("denoise");
  const steps = inspector.getByRole("spinbutton", { name: "Steps", exact: true });
  await steps.fill("2 or 3");
  await steps.press("Tab");
  const said = inspector.getByRole("alert").filter({ hasText: "“2 or 3”: This is no whole number. Still in force: 2" });
  await said.waitFor();
  await editor.canvas.hover();
  expect(await steps.inputValue()).toBe("2 or 3");
  await steps.fill("4");
  await steps.press("Tab");
  await said.waitFor({ state: "detached" });
  expect((await editor.document()).graph.nodes.denoise?.settings?.steps).toBe(4);
  await page.keyboard.press("Escape");
});

it("offers to show settings when nodes become a subgraph, and marks the field there when the value is wrong", async () => {
  const editor = await stage.open();
  const { page, inspector } = editor;
  await editor.openSaved("collapsed", drawingGraph("Collapsed"));
  await editor.select("denoise");
  await editor.node("denoise").focus();
  await page.keyboard.press("Control+Shift+e");
  const dialog = page.getByRole("dialog", { name: "Make a subgraph" });
  await dialog.getByRole("checkbox", { name: /^Steps/ }).click();
  await dialog.getByRole("button", { name: "Make the subgraph" }).click();
  await editor.node("subgraph").waitFor();
  await page.keyboard.press("Escape");
  await editor.select("subgraph");
  const steps = inspector.getByRole("spinbutton", { name: "Steps", exact: true });
  expect(await steps.inputValue()).toBe("2");
  expect(await inspector.getByRole("spinbutton", { name: "Guidance", exact: true }).count()).toBe(0);

  await steps.fill("0");
  await steps.press("Tab");
  await inspector
    .locator('[data-setting="subgraph.steps"]')
    .getByText(/greater than|at least|1/)
    .first()
    .waitFor();
  await expect.poll(() => steps.getAttribute("aria-invalid")).toBe("true");
  // The list of problems leads to the setting there too.
  await editor.select("load");
  await (await editor.show("Problems"))
    .getByRole("button", { name: /subgraph\/denoise\.steps/ })
    .first()
    .click();
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.getAttribute("data-port")))
    .toBe("subgraph.steps");

  // The value, and the subgraph with what it shows, are one step each.
  await editor.node("subgraph").focus();
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await editor.node("denoise").waitFor();
});

it("takes a formula as text, a row a line, and names the line that it cannot read", async () => {
  const editor = await stage.open();
  const { inspector } = editor;
  const graph = drawingGraph("Formula");
  const rows = [{ op: "sub", of: ["in0", "in1"] }];
  graph.nodes.formula = { type: "tensor.formula", version: 1, settings: { rows } };
  Object.assign(graph.view?.nodes ?? {}, { formula: [0, 400] });
  await editor.openSaved("formula", graph);
  await editor.select("formula");
  await editor.node("formula").getByText("row0 = in0 - in1").waitFor();
  const field = inspector.getByRole("textbox", { name: "Rows", exact: true });
  expect(await field.inputValue()).toBe("row0 = in0 - in1");
  await field.fill("diff = in0 - in1\nsquare(diff)\nrow1 / sum");
  await field.press("Tab");
  await inspector.getByRole("alert").filter({ hasText: "Line 3: sum is no wire" }).waitFor();
  await field.fill("diff = in0 - in1\nsquare(diff)\nrow1 / 2");
  await field.press("Tab");
  await expect.poll(() => field.inputValue()).toBe("row0 = in0 - in1\nrow1 = square(row0)\nrow2 = row1 / 2");
  expect((await editor.document()).graph.nodes.formula?.settings?.rows).toEqual([
    ...rows,
    { op: "square", of: ["row0"] },
    { op: "div", of: ["row1", 2] },
  ]);
});
