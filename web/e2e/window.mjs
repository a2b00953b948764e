import { chromium } from "playwright-core";

/** A Chromium for scripts; `python web/tool.py node FILE` says which. */
export function launch() {
  const executablePath = process.env.HCPGRAPH_CHROMIUM || undefined;
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

/** Save a graph, open it from the list of files, and wait until it is drawn. */
export async function openSaved(page, server, name, graph) {
  await server.put(name, graph);
  for (const panel of ["Nodes", "Files"]) await page.getByRole("tab", { name: panel, exact: true }).click();
  await page
    .getByRole("button", { name: new RegExp(`^${name}`) })
    .first()
    .click();
  const first = page.locator(`[data-id="${Object.keys(graph.nodes)[0]}"]`);
  await first.waitFor({ state: "attached", timeout: 120_000 });
}
