import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Editor, Point } from "./editor";
import { pixels } from "./pictures";
import { cli } from "./server";
import { makeStage } from "./support";
import { PIECES, SETTINGS, STEPS, toyGraph, WIRES } from "./toy";

const stage = makeStage();
/** Nodes that come another way than out of the palette. */
const SEARCHED = "prompt";
const FROM_A_WIRE = "save";

it("builds a LoRA training from nothing by mouse, runs it, and the saved file gives the same on the command line", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  await editor.button("New graph").click();
  await editor.node("train").waitFor({ state: "detached" });
  await placeNodes(editor);

  for (const [target, source] of Object.entries(WIRES)) {
    if (target !== `${FROM_A_WIRE}.images`) await editor.connectByMouse(source, target);
  }
  await wireToNothing(editor);
  for (const { node, label, value } of SETTINGS) {
    await editor.select(node);
    await editor.fill(label, value);
  }
  await editor.saveAs("built by mouse");

  const saved = await server.saved("built by mouse");
  const wanted = toyGraph("");
  expect(saved.edges).toEqual(wanted.edges);
  for (const [id, entry] of Object.entries(wanted.nodes)) {
    expect(saved.nodes[id], id).toMatchObject({ type: entry.type, ...(entry.in && { in: entry.in }) });
    expect(saved.nodes[id]?.settings ?? {}, id).toMatchObject(entry.settings ?? {});
    expect(saved.nodes[id]?.in, id).toBe(entry.in);
  }

  const job = await editor.run();
  await editor.finished(job);
  expect((await editor.lossSteps()).at(-1)).toBe(STEPS);
  await editor.pictures(1);
  await editor.node("loop").getByText("done").waitFor();
  await editor.node("save").getByText("done").waitFor();

  const elsewhere = join(server.workspace, "elsewhere");
  await cli("run", join(server.workspace, "graphs/built by mouse.json"), "--workspace", elsewhere);
  const [here, there] = await Promise.all([
    readFile(server.path("out:picture.png")),
    readFile(join(elsewhere, "out/picture.png")),
  ]);
  expect(await pixels(page, there)).toBe(await pixels(page, here));
});

/** The first node by itself: the view goes to it. Then all is zoomed out and moved into the corner, for room. */
async function placeNodes(editor: Editor): Promise<void> {
  const { page, server } = editor;
  const titles = new Map((await server.specs("en")).specs.map((spec) => [spec.id, spec.title]));
  const canvas = await editor.canvas.boundingBox();
  if (!canvas) throw new Error("there is no canvas");
  const fromPalette = async (type: string, to: Point) => {
    await editor.left.getByRole("searchbox", { name: "Find a node" }).fill(type);
    const row = editor.left.getByRole("button", { name: titles.get(type) ?? type, exact: true });
    await row.first().dragTo(editor.canvas, { targetPosition: { x: to.x - canvas.x, y: to.y - canvas.y } });
  };

  const [first, ...others] = PIECES;
  if (!first) throw new Error("nothing to build");
  await fromPalette(first.type, { x: canvas.x + 400, y: canvas.y + 300 });
  await editor.node(first.id).waitFor();
  await expect.poll(async () => Math.round((await editor.node(first.id).boundingBox())?.width ?? 0)).toBe(240);
  for (let i = 0; i < 3; i++) await editor.button("Zoom out").click();
  await expect.poll(async () => (await editor.node(first.id).boundingBox())?.width ?? 0).toBeLessThan(140);
  const now = await editor.resting(editor.node(first.id));
  const shift = { x: canvas.x + 30 - now.x, y: canvas.y + 110 - now.y };
  const hold = { x: canvas.x + canvas.width - 60, y: canvas.y + canvas.height / 2 };
  await editor.drag(hold, { x: hold.x + shift.x, y: hold.y + shift.y });
  await expect
    .poll(async () => Math.abs(((await editor.node(first.id).boundingBox())?.x ?? 0) - canvas.x))
    .toBeLessThan(50);
  const corner = await editor.resting(editor.node(first.id));
  const scale = corner.width / 240;

  for (const { id, type, at } of others) {
    if (id === FROM_A_WIRE) continue;
    let to: Point;
    if (Array.isArray(at)) to = { x: corner.x + (at[0] + 40) * scale, y: corner.y + (at[1] + 15) * scale };
    else {
      const above = await editor.node(at.below).boundingBox();
      if (!above) throw new Error(`${at.below} is not to be seen`);
      to = { x: above.x + 40 * scale, y: above.y + above.height + 20 * scale };
    }
    if (id === SEARCHED) {
      await page.mouse.dblclick(to.x - 40 * scale, to.y - 15 * scale);
      const search = page.getByRole("dialog", { name: "Add a node" });
      await search.getByRole("combobox").fill(type);
      await search.getByRole("option", { name: new RegExp(`${type}$`) }).click();
    } else await fromPalette(type, to);
    await editor.node(id).waitFor();
  }
}

/** Let a wire go over nothing: the search offers what takes it, and wires what is chosen. */
async function wireToNothing(editor: Editor): Promise<void> {
  const { page } = editor;
  const source = WIRES[`${FROM_A_WIRE}.images`] ?? "";
  const from = await editor.middle(editor.port(source, "source"));
  await editor.drag(from, { x: from.x + 40, y: from.y + 60 });
  const search = page.getByRole("dialog", { name: "Add a node" });
  await search.getByText("takes Images").waitFor();
  await expect(search.getByRole("option", { name: /data\.loader/ }).count()).resolves.toBe(0);
  await search.getByRole("combobox").fill("image.save");
  await search.getByRole("option").first().click();
  await editor.wire(source, `${FROM_A_WIRE}.images`).waitFor({ state: "attached" });
}
