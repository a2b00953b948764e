import { readFile } from "node:fs/promises";
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import type { GraphFile, Job, JobStatus, Json } from "../src/api/schema";
import { PATIENCE, type Server, until } from "./server";

export interface Point {
  x: number;
  y: number;
}

/** A file as it is dropped: its bytes, or so many letters made in the page itself. */
export interface DroppedFile {
  name: string;
  type: string;
  bytes: Buffer | { letters: number };
}

export const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** What a person does with the page, by what it calls its parts. */
export class Editor {
  readonly canvas: Locator;
  readonly left: Locator;
  readonly dock: Locator;
  readonly inspector: Locator;

  constructor(
    readonly page: Page,
    readonly server: Server,
  ) {
    this.canvas = page.getByRole("application");
    this.left = page.getByRole("region", { name: "Nodes, outline and files" });
    this.dock = page.getByRole("region", { name: "Problems, runs and results" });
    this.inspector = page.getByRole("region", { name: "Inspector", exact: true });
  }

  async ready(): Promise<void> {
    await this.canvas.waitFor();
    await this.page.getByRole("group").and(this.page.locator("[data-id]")).first().waitFor();
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  // The graph

  node(id: string): Locator {
    return this.page.getByRole("group").and(this.page.locator(`[data-id="${id}"]`));
  }

  port(address: string, side: "source" | "target"): Locator {
    const [node = "", port = ""] = address.split(".");
    const kinds = side === "source" ? "output|entry" : "input|exit|setting";
    return this.node(node).getByRole("button", { name: new RegExp(`^(${kinds}) ${literally(port)}, `) });
  }

  wire(source: string, target: string): Locator {
    return this.page.getByRole("group", { name: `Wire from ${source} to ${target},` });
  }

  async middle(of: Locator): Promise<Point> {
    const box = await of.boundingBox();
    if (!box) throw new Error(`${of} is not to be seen`);
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }

  /** Where something is once it does not move any more. */
  async resting(of: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
    let before = "";
    return until("a thing at rest", async () => {
      const box = await of.boundingBox();
      const same = JSON.stringify(box) === before;
      before = JSON.stringify(box);
      return same ? box : null;
    });
  }

  /** Press, move in some steps, let go. */
  async drag(from: Point, to: Point): Promise<void> {
    const { mouse } = this.page;
    await mouse.move(from.x, from.y);
    await mouse.down();
    await mouse.move(from.x + Math.sign(to.x - from.x) * 6, from.y + Math.sign(to.y - from.y) * 6);
    await mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2);
    await mouse.move(to.x, to.y, { steps: 2 });
    await mouse.up();
  }

  async connectByMouse(source: string, target: string): Promise<void> {
    const from = await this.middle(this.port(source, "source"));
    const to = await this.middle(this.port(target, "target"));
    await this.drag(from, to);
    await this.wire(source, target).waitFor({ state: "attached" });
  }

  /** Add a node by the search, wherever the keyboard is on the canvas. */
  async add(type: string): Promise<void> {
    await this.page.keyboard.press("/");
    const search = this.page.getByRole("dialog", { name: "Add a node" });
    await search.getByRole("combobox").fill(type);
    await search.getByRole("option", { selected: true }).filter({ hasText: type }).waitFor();
    await this.page.keyboard.press("Enter");
    await search.waitFor({ state: "hidden" });
  }

  /** Jump to a node by keyboard, with the list of commands: it has the focus then. */
  async goTo(id: string): Promise<void> {
    const { keyboard } = this.page;
    await keyboard.press("Control+k");
    const palette = this.page.getByRole("dialog", { name: "Commands" });
    await palette.waitFor();
    await keyboard.type(`node:${id}`);
    // Ids that begin alike stand beside each other: "encode", "encode_image".
    const chosen = palette.getByRole("option", { selected: true }).filter({ hasText: id });
    await chosen.waitFor();
    for (let i = 0; i < 20 && !(await chosen.textContent())?.endsWith(id); i++) await keyboard.press("ArrowDown");
    await keyboard.press("Enter");
    await palette.waitFor({ state: "hidden" });
    await expect
      .poll(() => this.page.evaluate(() => document.activeElement?.getAttribute("data-id")), { timeout: 30_000 })
      .toBe(id);
  }

  /** Choose a node by its title bar. */
  async select(id: string): Promise<void> {
    await this.node(id).click({ position: { x: 40, y: 8 } });
    await this.inspector.getByRole("heading", { level: 2 }).waitFor();
  }

  /** Write into a field of the inspector as a person does, and leave it. */
  async fill(label: string, value: Json): Promise<void> {
    const kind = typeof value === "number" ? "spinbutton" : "textbox";
    const field = this.inspector.getByRole(kind, { name: label, exact: true });
    await field.fill(String(Array.isArray(value) ? value[0] : value));
    await field.press("Tab");
  }

  /** The document as the page has it: what it would save, with the hash that the check gives it. */
  async document(): Promise<{ graph: GraphFile; text: string; hash: string | null }> {
    const coming = this.page.waitForEvent("download");
    await this.button("File").click();
    await this.page.getByRole("menuitem", { name: /^Download JSON/ }).click();
    const text = await readFile(await (await coming).path(), "utf8");
    const graph = JSON.parse(text) as GraphFile;
    return { graph, text, hash: (await this.server.check(graph)).hash };
  }

  /** Choose an entry of the file menu. */
  async file(name: RegExp): Promise<void> {
    await this.button("File").click();
    await this.page.getByRole("menuitem", { name }).click();
  }

  // Opening and saving

  tab(name: string): Locator {
    return this.page.getByRole("navigation", { name: "Open graphs" }).getByRole("button", {
      name: new RegExp(`^${literally(name)}`),
    });
  }

  /** Save a graph beside the editor and open it from the list of files. */
  async openSaved(name: string, graph: GraphFile): Promise<void> {
    await this.server.put(name, graph);
    // The list is read when it is shown.
    for (const panel of ["Nodes", "Files"]) await this.left.getByRole("tab", { name: panel }).click();
    await this.left
      .getByRole("button", { name: new RegExp(`^${literally(name)}\\b`) })
      .first()
      .click();
    await this.tab(name).and(this.page.locator('[aria-current="page"]')).waitFor();
    await this.node(Object.keys(graph.nodes)[0] ?? "").waitFor();
  }

  async saveAs(name: string): Promise<void> {
    await this.page.keyboard.press("Control+s");
    const dialog = this.page.getByRole("dialog", { name: "Save as" });
    await dialog.getByRole("textbox", { name: "Name" }).fill(name);
    await dialog.getByRole("button", { name: "Save", exact: true }).click();
    await dialog.waitFor({ state: "hidden" });
    await this.said(`Saved as ${name}`);
  }

  /** Drop files from outside of the browser on a part of the page. */
  async drop(on: Locator, files: readonly DroppedFile[]): Promise<void> {
    const made = files.map(({ name, type, bytes }) => ({
      name,
      type,
      ...("letters" in bytes ? { letters: bytes.letters } : { base64: bytes.toString("base64") }),
    }));
    const transfer = await this.page.evaluateHandle((list) => {
      const data = new DataTransfer();
      for (const { name, type, ...rest } of list) {
        const content =
          "base64" in rest
            ? Uint8Array.from(atob(String(rest.base64)), (letter) => letter.charCodeAt(0))
            : `{"x": "${"x".repeat(Number(rest.letters))}"}`;
        data.items.add(new File([content], name, { type }));
      }
      return data;
    }, made);
    for (const type of ["dragenter", "dragover", "drop"]) await on.dispatchEvent(type, { dataTransfer: transfer });
    await transfer.dispose();
  }

  // What it says

  /** A message in the corner of the page. */
  message(text: string | RegExp): Locator {
    return this.page
      .getByRole("region", { name: /^Notification/ })
      .getByRole("listitem")
      .filter({ hasText: text });
  }

  async said(text: string | RegExp): Promise<void> {
    await this.message(text).first().waitFor();
  }

  async closeMessages(): Promise<void> {
    const close = this.page.getByRole("region", { name: /^Notification/ }).getByRole("button", { name: "Close" });
    while ((await close.count()) > 0) await close.first().click();
  }

  // Runs

  async show(panel: "Problems" | "Runs" | "Loss" | "Gallery" | "Log"): Promise<Locator> {
    await this.dock.getByRole("tab", { name: panel }).click();
    return this.dock.getByRole("tabpanel", { name: panel });
  }

  /** It is called Queue while another job runs, and the inspector has a section Run. */
  get runButton(): Locator {
    return this.button(/^(Run|Queue)( ?\d+)?$/).first();
  }

  /** The ids of all jobs so far, for `newJob`. */
  async known(): Promise<Set<string>> {
    return new Set((await this.server.jobs()).map((job) => job.id));
  }

  /** The button Run; gives the job that came of it. */
  async run(): Promise<Job> {
    const before = await this.known();
    await this.runButton.click();
    return this.newJob(before);
  }

  async newJob(before: ReadonlySet<string>): Promise<Job> {
    return until("a job", async () => (await this.server.jobs()).find((job) => !before.has(job.id)) ?? null, 90_000);
  }

  /** Wait until a run is over, and until the page says so. */
  async finished(job: Job, wanted: JobStatus = "done"): Promise<Job> {
    const over = await this.server.ended(job.id);
    expect(over.status, JSON.stringify(over.reason ?? (await this.server.snapshot(job.id)).nodes)).toBe(wanted);
    const word = { done: "Done", failed: "Failed", cancelled: "Cancelled", queued: "Queued", running: "Running" };
    const history = (await this.show("Runs")).getByRole("region", { name: "History" });
    await history.getByRole("listitem").filter({ hasText: word[wanted] }).first().waitFor();
    return over;
  }

  /** The steps that the table of the loss panel lists, oldest first. */
  async lossSteps(): Promise<number[]> {
    const panel = await this.show("Loss");
    const table = panel.getByRole("table");
    if (!(await table.isVisible())) await panel.getByRole("button", { name: "Show as a table" }).click();
    await table.waitFor();
    const rows = await table.getByRole("rowheader").allInnerTexts();
    return rows.map(Number).reverse();
  }

  /** The pictures of the gallery, once there are so many and all of them are drawn. */
  async pictures(count: number): Promise<Locator> {
    const tiles = (await this.show("Gallery")).getByRole("option");
    await expect.poll(() => tiles.count(), { timeout: PATIENCE }).toBe(count);
    await expect
      .poll(
        () => tiles.locator("img").evaluateAll((all) => all.every((one) => (one as HTMLImageElement).naturalWidth > 0)),
        {
          timeout: 90_000,
        },
      )
      .toBe(true);
    return tiles;
  }
}
