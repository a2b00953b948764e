/**
 * The pictures of the editor in docs/, taken from the real thing.
 *
 *     python web/tool.py node e2e/screenshots.mjs
 *
 * Runs the quickstart once, so that losses and pictures are those that a reader will get too.
 */
import { join } from "node:path";
import { CHECKOUT, PATIENCE, Server } from "./server.ts";
import { launch } from "./window.mjs";

const DOCS = join(CHECKOUT, "docs");
const LAPTOP = { viewport: { width: 1600, height: 1000 }, deviceScaleFactor: 1, reducedMotion: "reduce" };

const server = await Server.start();
const browser = await launch();

/** A new person at the page; the quickstart is open. */
async function visit(options) {
  const page = await (
    await browser.newContext({ ...LAPTOP, locale: "en-US", colorScheme: "light", ...options })
  ).newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(server.url);
  await page.locator('[data-id="train"]').waitFor();
  await page.waitForLoadState("networkidle");
  return page;
}

async function shoot(page, name) {
  await page.getByText(/^(Counting layers…|正在统计层数…)$/).waitFor({ state: "detached" });
  // No tooltip, no focus ring of a moment ago; what is checked and counted has arrived.
  await page.mouse.move(2, 2);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(DOCS, `editor-${name}.png`) });
}

try {
  for (const theme of ["dark", "light"]) {
    const page = await visit({ colorScheme: theme });
    await page.locator('[data-id="lora"]').click({ position: { x: 40, y: 8 } });
    await shoot(page, `graph-${theme}`);
    await page.context().close();
  }
  const chinese = await visit({ locale: "zh-CN" });
  await chinese.locator('[data-id="lora"]').click({ position: { x: 40, y: 8 } });
  await shoot(chinese, "chinese");
  await chinese.context().close();

  const page = await visit({ colorScheme: "dark" });
  await page
    .getByRole("button", { name: /^Run( ?\d+)?$/ })
    .first()
    .click();
  await page.getByRole("tab", { name: /^Loss/ }).click();
  await page.locator('[data-id="save_grid"]').getByText("done").waitFor();
  await page.getByRole("tab", { name: /^Gallery/ }).click();
  await page.getByRole("option").first().waitFor();
  await shoot(page, "gallery");
  await page.getByRole("tab", { name: /^Loss/ }).click();
  await shoot(page, "run");
  await page.getByRole("button", { name: "Bottom panel" }).click();
  await page.getByRole("radio", { name: "Form" }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  await shoot(page, "form");

  const phone = await visit({
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  });
  await phone.getByRole("navigation", { name: "Pages" }).getByRole("button", { name: "Runs" }).tap();
  await phone.getByText("Done", { exact: true }).first().waitFor();
  await shoot(phone, "phone");
} finally {
  await browser.close();
  await server.stop();
}
