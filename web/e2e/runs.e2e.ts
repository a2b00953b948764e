import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Editor } from "./editor";
import { until } from "./server";
import { makeStage } from "./support";
import { drawingGraph, toyGraph } from "./toy";

const stage = makeStage();
/** More steps than anybody waits for: such a run ends because a test ends it. */
const ENDLESS = { "loop.steps": 100_000, "loop.log_every": 1 };

it("shows a run complete after a reload in its middle: states, loss and log", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  await editor.openSaved("reloaded", toyGraph("Reloaded", ENDLESS));
  const job = await editor.run();
  await server.atStep(job.id, 3);
  await page.reload();
  await editor.ready();
  // The tab and its run come back by themselves, and what happens from now on arrives too.
  await editor.tab("reloaded").and(page.locator('[aria-current="page"]')).waitFor();
  await editor.node("loop").getByText("running").waitFor();
  await editor.node("lora").getByText("done").waitFor();
  const before = (await server.snapshot(job.id)).nodes.loop?.value ?? 0;
  await server.atStep(job.id, before + 3);

  await editor.button("More ways to run").click();
  await page.getByRole("menuitem", { name: "Stop after this step" }).click();
  await editor.said("The training ends after this step");
  await editor.finished(job);
  for (const id of ["load", "loop", "after", "denoise", "save"]) await editor.node(id).getByText("done").waitFor();

  const { nodes, log } = await server.snapshot(job.id);
  const { series } = await server.series(job.id);
  const points = series.loop?.loss ?? Object.values(series.loop ?? {})[0] ?? [];
  const steps = points.map(([step]) => step);
  expect(steps).toEqual(steps.map((_, index) => index + 1));
  expect(steps.length).toBeGreaterThanOrEqual(before + 3);
  expect(nodes.loop?.state).toBe("done");
  expect(await editor.lossSteps()).toEqual(steps);
  await editor.pictures(1);
  const lines = (await editor.show("Log")).getByRole("region", { name: "Messages" });
  for (const { message } of log.slice(-3)) await lines.getByText(message).first().waitFor();
  expect(log.length).toBeGreaterThan(0);
});

it("cancels a run, and again without harm", async () => {
  const editor = await stage.open();
  await editor.openSaved("cancelled", toyGraph("Cancelled", { ...ENDLESS, "loop.seed": 1 }));
  const job = await editor.run();
  await editor.server.atStep(job.id, 1);
  await editor.page.getByRole("banner").getByRole("button", { name: "Cancel", exact: true }).click();
  await editor.finished(job, "cancelled");
  const { status } = await editor.server.post<{ status: string }>(`/api/jobs/${job.id}/cancel`, {});
  expect(status).toBe("cancelled");
  await editor.node("loop").getByText("running").waitFor({ state: "detached" });
});

it("asks whether a training goes on that was begun before an upgrade", async () => {
  const editor = await stage.open();
  const { server, page } = editor;
  await editor.openSaved("begun", toyGraph("Begun", { "loop.steps": 3, "loop.seed": 9 }));
  await editor.finished(await editor.run());
  // As another torch would have left it: under another key, with another version in its record.
  const kept = join(server.workspace, "cache", "train");
  for (const name of await readdir(kept)) {
    const record = join(kept, name, "made-with.json");
    const text = await readFile(record, "utf8");
    const older = text.replace(/("torch": )"[^"]*"/, '$1"1.0"').replace(/("loop": "\w+)\w{4}"/, '$10000"');
    await writeFile(record, older);
    await rename(join(kept, name), join(kept, `${name.slice(0, -4)}0000`));
  }
  await editor.openSaved("begun-more", toyGraph("Begun", { "loop.steps": 5, "loop.seed": 9 }));
  const before = await editor.known();
  await editor.runButton.click();
  const dialog = page.getByRole("alertdialog", { name: /begun with something else/ });
  await dialog.getByText(/3 of 5 steps .* torch 1\.0 \(now/).waitFor();
  expect((await server.jobs()).length).toBe(before.size);
  await dialog.getByRole("button", { name: /Go on from the checkpoints/ }).click();
  const job = await editor.newJob(before);
  await editor.finished(job);
  const { log } = await server.snapshot(job.id);
  expect(log.map(({ message }) => message).join("\n")).toMatch(/going on: checkpoint of step 3 of 5/);
});

it("marks a run as failed when the worker is killed, says why, and goes on with the next", async () => {
  const editor = await stage.open();
  const { server } = editor;
  await editor.openSaved("killed", toyGraph("Killed", { ...ENDLESS, "loop.seed": 2 }));
  const job = await editor.run();
  await server.atStep(job.id, 2);
  await editor.openSaved("next", drawingGraph("Next"));
  const next = await editor.run();
  expect((await server.snapshot(next.id)).job.status).toBe("queued");

  const { pid } = (await server.hello()).worker;
  if (pid === null) throw new Error("there is no worker to kill");
  process.kill(pid, "SIGKILL");
  const over = await editor.finished(job, "failed");
  expect(over.reason?.message).toMatch(/kill/i);
  await row(editor, "killed")
    .getByText(over.reason?.message ?? "")
    .waitFor();

  await editor.finished(next);
  const worker = await until("a new worker", async () => {
    const now = (await server.hello()).worker;
    return now.pid !== null && now.pid !== pid ? now : null;
  });
  expect(worker.state).not.toBe("dead");
  await editor.pictures(1);
});

function row(editor: Editor, title: string) {
  return editor.dock.getByRole("region", { name: "History" }).getByRole("listitem").filter({ hasText: title });
}
