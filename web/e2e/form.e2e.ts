import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Json, Opened } from "../src/api/schema";
import { plainPng } from "./pictures";
import { CHECKOUT, PATIENCE } from "./server";
import { makeStage } from "./support";

const stage = makeStage();
const COLOURS = ["#aa2211", "#22aa11", "#1122aa", "#aaaa11"];
const TINY: Readonly<Record<string, Readonly<Record<string, Json>>>> = {
  buckets: { target_area: 4096, step_size: 8, num_buckets: 1 },
  loader: { batch_size: 2 },
  train: { log_every: 1 },
  watch: { width: 64, height: 64, steps: 2 },
};

it("trains on a folder of pictures in six actions, without the graph being touched", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  // The small model stands where people put theirs, and the template is made for it: 64 pixels instead of 512.
  await cp(join(CHECKOUT, "hcpgraph/builtin/emoji"), join(server.workspace, "models/sd15"), { recursive: true });
  await page.route("**/api/templates/train/lora", async (route) => {
    const reply = await route.fetch();
    const opened = (await reply.json()) as Opened;
    for (const [id, settings] of Object.entries(TINY)) {
      const entry = opened.graph.nodes[id];
      if (!entry) throw new Error(`the template has no node '${id}' any more`);
      entry.settings = { ...entry.settings, ...settings };
    }
    await route.fulfill({ response: reply, json: opened });
  });
  const folder = await mkdtemp(join(tmpdir(), "hcpgraph-pictures-"));
  try {
    const pictures = join(folder, "my toy");
    await mkdir(pictures);
    for (const [index, colour] of COLOURS.entries()) {
      await writeFile(join(pictures, `toy ${index + 1}.png`), await plainPng(page, colour, 96));
    }
    await writeFile(join(pictures, "toy 1.txt"), "a red toy");

    const dialog = page.getByRole("dialog", { name: "Train on my pictures" });
    let actions = 0;
    const act = async (what: Promise<unknown>) => {
      actions += 1;
      await what;
    };
    await act(editor.button("File").click());
    await act(page.getByRole("menuitem", { name: /^Train on my pictures/ }).click());
    const chooser = page.waitForEvent("filechooser");
    await act(dialog.getByRole("button", { name: "Choose a folder" }).click());
    await (await chooser).setFiles(pictures);
    await dialog.getByText(/^4 pictures, 1 with a caption/).waitFor();
    await act(dialog.getByRole("textbox", { name: "Trigger word" }).fill("mytoy"));
    await act(dialog.getByRole("radio", { name: "Quick" }).click());
    await act(dialog.getByRole("button", { name: "Run", exact: true }).click());
    expect(actions).toBeLessThanOrEqual(6);
    expect(await editor.canvas.count(), "the graph is not in sight").toBe(0);

    const job = await editor.newJob(new Set());
    const run = page.getByRole("region", { name: "Run and results" });
    await server.atStep(job.id, 4);
    // While it trains: its progress, a curve, the picture from before the first step, and what can be asked of it.
    await run
      .getByText(/of 400/)
      .first()
      .waitFor();
    const option = run.getByRole("option").first();
    await option.waitFor({ timeout: PATIENCE });
    await run.getByRole("button", { name: "Sample now" }).click();
    await expect.poll(() => run.getByRole("option").count(), { timeout: PATIENCE }).toBeGreaterThanOrEqual(3);
    const drawn = option.locator("img");
    await expect
      .poll(() => drawn.evaluateAll((all) => all.map((one) => (one as HTMLImageElement).naturalWidth)))
      .toEqual([64]);
    await run.getByRole("button", { name: "Stop after this step" }).click();
    expect((await server.ended(job.id)).status).toBe("done");
    await run.getByText("Done", { exact: true }).first().waitFor();
    await run.getByRole("figure", { name: /^Curves of/ }).waitFor();
    await run.getByRole("option", { name: /^loss\.png/ }).waitFor();

    const { artifacts } = await server.snapshot(job.id);
    expect(artifacts.map((one) => one.uri)).toContain("out:mytoy/lora.safetensors");
    expect(artifacts.filter((one) => one.uri.startsWith("out:mytoy/preview")).length).toBeGreaterThan(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
