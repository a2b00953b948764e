/**
 * New places for the nodes of the templates, as the editor's own "Arrange" finds them for nodes as large as they are drawn.
 *
 *     python web/tool.py node e2e/arrange_templates.mjs [GROUP/NAME …]
 *
 * Only `view.nodes` changes; `hcpgraph fmt graphs` writes the files as they are kept. The pictures of the templates come
 * after it: e2e/template_pictures.mjs.
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT, Server, until } from "./server.ts";
import { launch, openSaved } from "./window.mjs";

const chosen = process.argv.slice(2);
const server = await Server.start();
const browser = await launch();

/** Arrange what is shown, and be sure that it is done. */
async function arrange(page) {
  await page.getByRole("application").focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Escape");
  await page.keyboard.press("L");
  await page.waitForTimeout(700);
}

/** One instance of every subgraph of a body: subgraph -> node. */
function instances(body) {
  const found = new Map();
  for (const [id, { type }] of Object.entries(body.nodes)) {
    if (type.startsWith("graph:")) found.set(type.slice("graph:".length), id);
  }
  return found;
}

async function inside(page, graph, body, done) {
  await arrange(page);
  for (const [name, id] of instances(body)) {
    if (done.has(name) || !graph.graphs?.[name]) continue;
    done.add(name);
    await page.locator(`[data-id="${id}"] button`).first().waitFor();
    await page.locator(`[data-id="${id}"]`).dblclick({ position: { x: 40, y: 12 } });
    await page.locator(`[data-id="${Object.keys(graph.graphs[name].nodes)[0]}"]`).waitFor({ state: "attached" });
    await page.waitForTimeout(300);
    await inside(page, graph, graph.graphs[name], done);
    await page.getByRole("application").focus();
    await page.keyboard.press("Control+ArrowUp");
    await page.waitForTimeout(300);
  }
}

try {
  const all = (await server.get("/api/templates")).map(({ name }) => name);
  for (const name of chosen.length > 0 ? chosen : all) {
    const file = join(CHECKOUT, "graphs", `${name}.json`);
    const graph = JSON.parse(await readFile(file, "utf8"));
    const page = await (
      await browser.newContext({ viewport: { width: 3200, height: 2000 }, locale: "en-US", reducedMotion: "reduce" })
    ).newPage();
    await page.goto(server.url);
    await page.getByRole("application").waitFor();
    const saved = `arranged ${name.replace("/", " ")}`;
    await openSaved(page, server, saved, graph);
    await page.waitForTimeout(1000);
    await inside(page, graph, graph, new Set());
    const stored = join(server.workspace, "graphs", `${saved}.json`);
    const { mtimeMs } = await stat(stored);
    await page.keyboard.press("Control+s");
    await until(`${saved} being stored`, async () => ((await stat(stored)).mtimeMs > mtimeMs ? true : null), 60_000);
    const moved = await server.saved(saved);
    graph.view.nodes = moved.view.nodes;
    for (const [sub, body] of Object.entries(graph.graphs ?? {})) body.view.nodes = moved.graphs[sub].view.nodes;
    await writeFile(file, `${JSON.stringify(graph, null, 2)}\n`);
    process.stdout.write(`${name}\n`);
    await page.context().close();
  }
} finally {
  await browser.close();
  await server.stop();
}
