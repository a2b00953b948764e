import { expect, it } from "vitest";
import type { GraphFile } from "../src/api/schema";
import { makeStage } from "./support";

const stage = makeStage();

/** A model on one wire: opened, with a LoRA, drawn with. */
function oneCable(): GraphFile {
  const node = (type: string) => ({ type, version: 1, settings: {} });
  const nodes: GraphFile["nodes"] = {
    load: { ...node("model.load"), settings: { path: "builtin:emoji" } },
    lora: node("plugin.lora"),
    draw: node("sample.denoise"),
  };
  return {
    format: "hcpgraph/1",
    nodes,
    edges: { "lora.model": "load.model", "draw.model": "lora.model" },
    interface: { inputs: {}, outputs: {} },
    graphs: {},
    view: { nodes: { load: [0, 0], lora: [320, 0], draw: [640, 0] }, notes: [], frames: [] },
  };
}

it("shows a model as one cable, and its parts where somebody wants them", async () => {
  const editor = await stage.open();
  const { page } = editor;
  await editor.openSaved("one cable", oneCable());
  const sources = ["denoiser", "text_encoder", "vae", "schedule"].map((part) => editor.port(`load.${part}`, "source"));
  const parts = (node: string) => editor.node(node).getByRole("button", { name: "parts of model" });
  const there = (all: typeof sources) => Promise.all(all.map((port) => port.count()));
  await editor.port("load.model", "source").waitFor();
  expect(await there(sources)).toEqual([0, 0, 0, 0]);
  expect(await editor.port("draw.denoiser", "target").count()).toBe(0);
  expect(await parts("lora").count()).toBe(0);

  // By keyboard: the button comes after its node.
  await editor.goTo("load");
  for (let i = 0; i < 8 && !(await parts("load").evaluate((one) => one === document.activeElement)); i++) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await sources.at(-1)?.waitFor();
  expect(await there(sources)).toEqual([1, 1, 1, 1]);
  expect(await parts("load").getAttribute("aria-expanded")).toBe("true");

  // A wire of a part opens the parts of what takes it, for as long as it is held.
  const from = await editor.middle(editor.port("load.denoiser", "source"));
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 60, from.y + 40, { steps: 3 });
  await editor.port("draw.denoiser", "target").waitFor();
  await editor.resting(editor.port("draw.denoiser", "target"));
  await page.mouse.move(from.x + 30, from.y + 150);
  await page.mouse.up();
  const search = page.getByRole("dialog", { name: "Add a node" });
  await search.getByText("takes Denoiser").waitFor();
  await page.keyboard.press("Escape");
  await search.waitFor({ state: "hidden" });
  await editor.port("draw.denoiser", "target").waitFor({ state: "detached" });

  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 60, from.y + 40, { steps: 3 });
  const to = await editor.resting(editor.port("draw.denoiser", "target"));
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 4 });
  await page.mouse.up();
  await editor.wire("load.denoiser", "draw.denoiser").waitFor({ state: "attached" });
  expect(await editor.port("draw.schedule", "target").count()).toBe(0);
  await editor.select("draw");
  await editor.inspector.getByText("Wired on their own, these win over the parts of this wire: denoiser").waitFor();

  // What was opened is kept over a reload; what is wired stays in sight.
  await page.waitForTimeout(1000);
  await page.reload();
  await editor.ready();
  await sources[2]?.waitFor();
  await parts("load").click();
  await sources[2]?.waitFor({ state: "detached" });
  expect(await there(sources)).toEqual([1, 0, 0, 0]);
  expect((await editor.document()).graph.view.nodes).toEqual(oneCable().view.nodes);
});
