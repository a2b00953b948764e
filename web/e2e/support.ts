import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { Editor } from "./editor";
import { Server } from "./server";

const FAILURES = join(import.meta.dirname, "failures");

/** The page, as most people have it: a laptop's window, English, nothing that moves by itself. */
const USUAL: BrowserContextOptions = {
  viewport: { width: 1600, height: 1000 },
  locale: "en-US",
  colorScheme: "light",
  reducedMotion: "reduce",
  acceptDownloads: true,
};

/** What the browser itself lists where the server says no to a wish; what the page makes of it is what tests look at. */
const REFUSED = /^Failed to load resource: .* status of (409|413|422) /;

async function launch(): Promise<Browser> {
  const executablePath = process.env.HCPGRAPH_CHROMIUM;
  return chromium.launch({ ...(executablePath && { executablePath }), args: ["--no-sandbox", "--disable-gpu"] });
}

/**
 * One server and one browser for the tests of a file; each test opens windows of its own. What a page throws or logs as
 * an error fails the test that opened it, and leaves a screenshot in e2e/failures like every failure.
 */
export class Stage {
  server!: Server;
  browser!: Browser;
  private pages: Page[] = [];
  private contexts: BrowserContext[] = [];
  private faults: string[] = [];

  /** A new person at a new browser profile, with the page open. */
  async open(options: BrowserContextOptions = {}): Promise<Editor> {
    const context = await this.browser.newContext({ ...USUAL, ...options });
    context.setDefaultTimeout(90_000);
    this.contexts.push(context);
    return this.openIn(context);
  }

  /** One more page of the same person. */
  async openIn(context: BrowserContext): Promise<Editor> {
    const page = await context.newPage();
    this.pages.push(page);
    page.on("pageerror", (error) => this.faults.push(String(error.stack ?? error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !REFUSED.test(message.text())) {
        this.faults.push(`${message.text()} ${message.location().url}`);
      }
    });
    await page.goto(this.server.url);
    const editor = new Editor(page, this.server);
    await editor.ready();
    return editor;
  }

  async start(): Promise<void> {
    [this.server, this.browser] = await Promise.all([Server.start(), launch()]);
  }

  async stop(): Promise<void> {
    await this.browser?.close();
    await this.server?.stop();
  }

  async clear(failed: boolean, name: string): Promise<void> {
    const { pages, contexts, faults } = this;
    [this.pages, this.contexts, this.faults] = [[], [], []];
    if (failed || faults.length > 0) await photograph(pages, name);
    await Promise.all(contexts.map((context) => context.close().catch(() => {})));
    expect(faults, "the page raised errors").toEqual([]);
  }
}

async function photograph(pages: readonly Page[], name: string): Promise<void> {
  await mkdir(FAILURES, { recursive: true });
  const file = name.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 80);
  for (const [index, page] of pages.entries()) {
    if (page.isClosed()) continue;
    await page.screenshot({ path: join(FAILURES, `${file}-${index}.png`), timeout: 20_000 }).catch(() => {});
  }
}

/** The stage of this file. Call it once, at the top. */
export function makeStage(): Stage {
  const stage = new Stage();
  beforeAll(() => stage.start());
  afterEach(({ task }) => stage.clear(task.result?.state === "fail", task.name));
  afterAll(() => stage.stop());
  return stage;
}
