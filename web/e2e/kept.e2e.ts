import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { plainPng } from "./pictures";
import { cli } from "./server";
import { makeStage } from "./support";
import { drawingGraph, STEPS, toyGraph } from "./toy";

const stage = makeStage();
const ALL = Array.from({ length: STEPS }, (_, at) => at + 1);

it("shows what the command line trained, serves it with its curve, and trains again", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  await server.put("made", toyGraph("Made"));
  await cli("run", join(server.workspace, "graphs/made.json"), "--workspace", server.workspace);
  await editor.openSaved("made", toyGraph("Made"));
  await editor.node("loop").getByText("done").waitFor();
  expect(await editor.lossSteps()).toEqual(ALL);

  const job = await editor.run();
  await editor.finished(job);
  await editor.said("Nothing had to run");
  await editor.node("save").getByText("cached").waitFor();
  await editor
    .node("loop")
    .getByRole("button", { name: /Loss of/ })
    .waitFor();
  expect(await editor.lossSteps()).toEqual(ALL);
  await editor.dock.getByRole("button", { name: /^Made / }).waitFor();
  await editor.pictures(1);
  await (await editor.show("Log")).getByRole("region", { name: "Messages" }).waitFor();
  expect((await server.series(job.id)).series).toEqual({});
  await editor.closeMessages();

  const before = await editor.known();
  await editor.button("More ways to run").click();
  await page.getByRole("menuitem", { name: "Train again" }).click();
  const again = await editor.newJob(before);
  await editor.finished(again);
  const curve = (await server.series(again.id)).series.loop?.loss ?? [];
  expect(curve.map(([step]) => step)).toEqual(ALL);
  await editor.node("loop").getByText("done").waitFor();
});

it("shows a run on its own graph alone, after a reload too, and a picture as it lies on the disk now", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  await editor.openSaved("own", drawingGraph("Own", { "denoise.seed": 5 }));
  const { picture } = await editor.finished(await editor.run());
  const value = editor.node("decode").getByRole("img");
  const written = editor.node("save").getByRole("img");
  const source = (of: typeof value) => of.getAttribute("src");
  await value.waitFor();
  await written.waitFor();

  await editor.openSaved("other", drawingGraph("Other", { "denoise.seed": 6 }));
  await editor.node("decode").waitFor();
  expect(await value.count()).toBe(0);
  expect(await written.count()).toBe(0);
  expect(await editor.node("decode").getByText("done").count()).toBe(0);

  await editor.tab("own").click();
  await value.waitFor();
  await page.reload();
  await editor.ready();
  await editor.node("decode").getByText("done").waitFor();
  await value.waitFor();
  expect(await source(value)).toMatch(/^\/api\/jobs\//);
  const before = await source(written);

  await writeFile(server.path(picture ?? ""), await plainPng(page, "#cc0000"));
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await expect.poll(() => source(written), { timeout: 30_000 }).not.toBe(before);

  await editor.select("denoise");
  await editor.fill("Seed", 7);
  await editor.node("denoise").getByText("changed").waitFor();
});
