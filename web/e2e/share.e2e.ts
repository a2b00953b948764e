import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { GraphFile } from "../src/api/schema";
import type { Editor } from "./editor";
import { pixels } from "./pictures";
import { cli } from "./server";
import { makeStage } from "./support";
import { drawingGraph } from "./toy";

const stage = makeStage();
const json = (name: string, text: string) => ({ name, type: "application/json", bytes: Buffer.from(text) });

it("saves what `hcpgraph run` draws the same with, and opens the graph out of the picture that was drawn", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  await editor.openSaved("apple", drawingGraph("Apple"));
  await editor.select("denoise");
  await editor.fill("Seed", 7);
  await page.keyboard.press("Control+s");
  await editor.said("Saved as apple");
  const job = await editor.run();
  await editor.finished(job);
  const picture = await readFile(server.path("out:picture.png"));

  const elsewhere = join(server.workspace, "elsewhere");
  await cli("run", join(server.workspace, "graphs/apple.json"), "--workspace", elsewhere);
  const other = await readFile(join(elsewhere, "out/picture.png"));
  expect(await pixels(page, other)).toBe(await pixels(page, picture));
  const before = await editor.document();
  expect(before.graph.nodes.denoise?.settings?.seed).toBe(7);

  await editor.drop(editor.canvas, [{ name: "picture.png", type: "image/png", bytes: picture }]);
  await editor.tab("Apple").and(page.locator('[aria-current="page"]')).waitFor();
  await editor.node("denoise").waitFor();
  const inside = await editor.document();
  expect(inside.hash).toBe(before.hash);
  expect(inside.hash).not.toBeNull();
});

it("refuses hostile files with a clear message each, and lives on", async () => {
  const editor = await stage.open();
  const { page } = editor;
  const before = await editor.document();
  const tabs = page.getByRole("navigation", { name: "Open graphs" }).getByRole("listitem");
  const count = await tabs.count();
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="window.harmed = 1"><script>window.harmed = 1</script></svg>`;
  const html = `<!doctype html><script>window.harmed = 1</script><img src=x onerror="window.harmed = 1">`;
  const cases: [Parameters<Editor["drop"]>[1][number], RegExp][] = [
    [json("broken.json", '{"format": "hcpgraph/1", "nodes": {'), /JSON/i],
    [json("list.json", "[1, 2, 3]"), /graph|object/i],
    [json("deep.json", `${"[".repeat(100_000)}${"]".repeat(100_000)}`), /deep/i],
    [json("other.json", '{"last_node_id": 3, "links": []}'), /graph|format|hcpgraph/i],
    [{ name: "huge.json", type: "application/json", bytes: { letters: 9_000_000 } }, /large|MB/i],
    [json("page.json", html), /JSON/i],
    [{ name: "drawing.svg", type: "image/svg+xml", bytes: Buffer.from(svg) }, /No graph can be in these files/],
    [{ name: "page.html", type: "text/html", bytes: Buffer.from(html) }, /No graph can be in these files/],
    [{ name: "drawing.png", type: "image/png", bytes: Buffer.from(svg) }, /JSON|PNG|graph/i],
    [{ name: "cut.safetensors", type: "", bytes: Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]) }, /./],
  ];
  for (const [file, text] of cases) {
    await editor.drop(editor.canvas, [file]);
    const said = editor.message(text).first();
    await said.waitFor().catch(() => {
      throw new Error(`nothing clear was said about ${file.name}`);
    });
    const words = await said.textContent();
    expect(words, file.name).not.toMatch(/undefined|\[object|Traceback|NaN/);
    await editor.closeMessages();
    expect(await tabs.count(), file.name).toBe(count);
  }

  // A graph that is a graph, but whose texts are code: shown as the texts that they are.
  const bad = `<img src=x onerror="window.harmed = 1">`;
  const graph: GraphFile = drawingGraph(bad);
  graph.meta.description = `${bad} [link](javascript:window.harmed=1)`;
  graph.view.notes = [{ id: "note", text: `${bad} <script>window.harmed = 1</script>`, at: [0, -200, 300, 120] }];
  await editor.drop(editor.canvas, [json("code.json", JSON.stringify(graph))]);
  await editor.tab(bad).waitFor();
  await editor.node("denoise").waitFor();
  await editor.page.getByRole("radio", { name: "Form" }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  expect(await page.evaluate(() => "harmed" in window)).toBe(false);

  // The first document is as it was, and the page still works.
  await editor.page.getByRole("radio", { name: "Graph" }).click();
  await tabs.first().getByRole("button").first().click();
  const after = await editor.document();
  expect(after.text).toBe(before.text);
});

it("shows what a graph from elsewhere would load, before it opens and before it runs", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  const jobs = (await server.jobs()).length;
  const opened = page.getByRole("dialog", { name: /^Open “/ });
  const asked = page.getByRole("alertdialog", { name: /^Run “/ });

  await editor.drop(editor.canvas, [json("stranger.json", JSON.stringify(withObject("os:system")))]);
  await opened.waitFor();
  const objects = opened.getByRole("region", { name: "Python objects" });
  await objects.getByText("os:system", { exact: true }).waitFor();
  await objects.getByText("not trusted: it will not be loaded").waitFor();
  await objects.getByText("hcpgraph trust add os:system").waitFor();
  await opened.getByRole("region", { name: "Reads" }).getByText("builtin:emoji").waitFor();
  await opened.getByRole("region", { name: "Writes" }).getByText("out:picture.png").waitFor();
  await opened.getByRole("button", { name: "Cancel" }).click();
  await opened.waitFor({ state: "hidden" });
  expect(await editor.tab("With an object").count()).toBe(0);

  await editor.drop(editor.canvas, [json("stranger.json", JSON.stringify(withObject("os:system")))]);
  await opened.getByRole("button", { name: "Open", exact: true }).click();
  await editor.node("scheduler").waitFor();
  await editor.runButton.click();
  await asked.getByRole("button", { name: "Run", exact: true }).click();
  // It is not run: the server refuses, and the list of problems says why.
  await (await editor.show("Problems"))
    .getByText(/os:system/)
    .first()
    .waitFor();
  expect((await server.jobs()).length).toBe(jobs);
  await editor.closeMessages();

  await editor.drop(editor.canvas, [json("friend.json", JSON.stringify(withObject("diffusers:DDIMScheduler")))]);
  await editor.node("scheduler").waitFor();
  await editor.runButton.click();
  await asked.getByRole("region", { name: "Python objects" }).getByText("trusted", { exact: true }).waitFor();
  await asked.getByRole("button", { name: "Cancel" }).click();
  expect((await server.jobs()).length).toBe(jobs);
  await editor.runButton.click();
  const before = await editor.known();
  await asked.getByRole("button", { name: "Run", exact: true }).click();
  await editor.finished(await editor.newJob(before));
  // Once is enough for a document.
  await editor.finished(await editor.run());
});

/** A picture whose scheduler is a class that the file names. */
function withObject(path: string): GraphFile {
  const graph = drawingGraph("With an object");
  graph.nodes.scheduler = { type: "python.object", version: 1, settings: { path, args: {} } };
  graph.edges["denoise.scheduler"] = "scheduler.out";
  graph.view.nodes = { ...graph.view.nodes, scheduler: [0, 900] };
  return graph;
}

it("lets a run write elsewhere only where its switch is on, and asks again for the next", async () => {
  const editor = await stage.open();
  const { page, server } = editor;
  const graph = drawingGraph("Elsewhere");
  graph.nodes.where = { type: "value.text", version: 1, settings: { value: "data:drawn.png" } };
  graph.nodes.around = { type: "flow.reroute", version: 1 };
  graph.edges = { ...graph.edges, "around.value": "where.out", "save.path": "around.out" };
  await editor.openSaved("elsewhere", graph);
  const asked = page.getByRole("alertdialog", { name: /^Run “/ });
  const go = asked.getByRole("button", { name: "Run", exact: true });
  for (let time = 0; time < 2; time++) {
    const before = await editor.known();
    await editor.runButton.click();
    const writes = asked.getByRole("region", { name: "Writes" });
    await writes.getByText("data:drawn.png").waitFor();
    await writes.getByText("not allowed to write there").waitFor();
    expect(await go.isDisabled()).toBe(true);
    await asked.getByRole("switch", { name: "Let this run write to data:" }).click();
    await go.click();
    await editor.finished(await editor.newJob(before));
    expect((await readFile(server.path("data:drawn.png"))).subarray(1, 4).toString()).toBe("PNG");
  }
});
