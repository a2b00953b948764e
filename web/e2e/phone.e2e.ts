import { expect, it } from "vitest";
import type { Job } from "../src/api/schema";
import type { Editor } from "./editor";
import { PATIENCE } from "./server";
import { makeStage } from "./support";
import { toyGraph } from "./toy";

const stage = makeStage();

it("shows graph, outline, runs and pictures on a phone, and cancels a run after a question", async () => {
  const editor = await stage.open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const { page, server } = editor;
  const pages = page.getByRole("navigation", { name: "Pages" });
  const open = async (name: string) => {
    await pages.getByRole("button", { name }).tap();
    await page.getByRole("main", { name }).waitFor();
    await fits(editor, name);
  };

  await fits(editor, "Graph");
  // Nothing can be edited by accident: a finger on a node moves the view, and not the node.
  const apart = async () => {
    const [a, b] = [await editor.resting(editor.node("model")), await editor.resting(editor.node("lora"))];
    return [Math.round(b.x - a.x), Math.round(b.y - a.y)];
  };
  const before = await apart();
  const at = await editor.middle(editor.node("model"));
  await editor.drag(at, { x: at.x + 60, y: at.y + 40 });
  expect(await apart()).toEqual(before);

  await open("Outline");
  const tree = page.getByRole("tree", { name: "Outline" });
  await tree.getByRole("treeitem").filter({ hasText: "train" }).first().waitFor();
  expect(await tree.getByRole("treeitem").count()).toBeGreaterThan(10);

  await open("Runs");
  // It was started elsewhere: here it is watched.
  const graph = toyGraph("Watched", { "loop.steps": 100_000 });
  const job = await server.post<Job>("/api/jobs", { graph, title: "Watched" });
  await page.getByText("Running", { exact: true }).first().waitFor({ timeout: PATIENCE });
  await fits(editor, "Runs, at work");

  await server.atStep(job.id, 2);
  const cancel = page.getByRole("button", { name: "Cancel", exact: true }).first();
  await cancel.tap();
  const question = page.getByRole("alertdialog", { name: /^Cancel “/ });
  await question.waitFor();
  await fits(editor, "the question");
  await question.getByRole("button").first().tap();
  await question.waitFor({ state: "hidden" });
  expect((await server.snapshot(job.id)).job.status).toBe("running");
  await cancel.tap();
  await question.getByRole("button").last().waitFor();
  const labels = await question.getByRole("button").allInnerTexts();
  expect(new Set(labels).size, "both answers are called the same").toBe(labels.length);
  await question.getByRole("button").nth(-1).tap();
  expect((await server.ended(job.id)).status).toBe("cancelled");
  await page.getByText("Cancelled", { exact: true }).first().waitFor();

  await open("Gallery");
  await open("Graph");
});

/** Nothing is wider than the phone. */
async function fits(editor: Editor, where: string): Promise<void> {
  const wide = await editor.page.evaluate(() => ({
    page: document.documentElement.scrollWidth - window.innerWidth,
    body: document.body.scrollWidth - window.innerWidth,
  }));
  expect(wide, where).toEqual({ page: Math.min(0, wide.page), body: Math.min(0, wide.body) });
}
