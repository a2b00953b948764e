/**
 * Every screen of the editor as a picture, to be looked at: in both languages, both themes and two sizes, and a phone.
 *
 *     python web/tool.py node e2e/screens.mjs FOLDER [LANGUAGE-THEME-WIDTH …]
 *
 * The quickstart is run once for all of them.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PATIENCE, Server } from "./server.ts";
import { text } from "./texts.ts";
import { launch } from "./window.mjs";

const [folder = "screens", ...chosen] = process.argv.slice(2);
const SIZES = { 1280: 800, 1920: 1080 };
await mkdir(folder, { recursive: true });
const server = await Server.start();
const browser = await launch();

async function visit(language, theme, more) {
  const context = await browser.newContext({
    locale: language,
    colorScheme: theme,
    reducedMotion: "reduce",
    ...more,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(server.url);
  await page.locator('[data-id="train"]').waitFor();
  await page.waitForLoadState("networkidle");
  return page;
}

/** Screen -> how it is reached from the one before. */
function screens(page, t) {
  const button = (key) => page.getByRole("button", { name: t(key), exact: true }).first();
  const tab = (key) => page.getByRole("tab", { name: new RegExp(`^${t(key)}`) }).first();
  const menu = async (key, item) => {
    await page.keyboard.press("Escape");
    await button(key).click();
    await page
      .getByRole("menuitem", { name: t(item) })
      .first()
      .click();
  };
  const closed = async () => {
    await page.keyboard.press("Escape");
    await page.waitForTimeout(300);
  };
  return {
    first: async () => {},
    whole: async () =>
      page
        .getByRole("button", { name: t("canvas.do.fit") })
        .first()
        .click(),
    node: async () => {
      await page.locator('[data-id="lora"]').click({ position: { x: 40, y: 8 } });
      const right = button("shell.right");
      if ((await right.getAttribute("aria-pressed")) !== "true") await right.click();
    },
    many: async () => page.keyboard.press("Control+a"),
    outline: async () => tab("shell.outline").click(),
    files: async () => tab("shell.files").click(),
    runs: async () => {
      await page.keyboard.press("Escape");
      await tab("dock.runs").click();
    },
    loss: async () => tab("dock.loss").click(),
    gallery: async () => tab("dock.gallery").click(),
    log: async () => tab("dock.log").click(),
    data: async () => {
      await tab("dock.data").click();
      await page.getByText(t("dataReport.done")).waitFor();
    },
    problems: async () => tab("dock.problems").click(),
    search: async () => {
      await page.locator('[data-id="lora"]').click({ position: { x: 40, y: 8 } });
      await page.keyboard.press("/");
    },
    commands: async () => {
      await closed();
      await page.keyboard.press("Control+k");
    },
    file: async () => {
      await closed();
      await button("shell.file").click();
    },
    templates: async () => {
      await closed();
      await button("shell.templates").click();
      await page.getByRole("dialog").locator("img").first().waitFor({ state: "attached" });
    },
    train: async () => {
      await closed();
      await menu("shell.file", "shell.trainOnPictures");
    },
    shortcuts: async () => {
      await closed();
      await menu("shell.help", "shell.shortcuts");
    },
    about: async () => {
      await closed();
      await menu("shell.help", "shell.about");
    },
    look: async () => {
      await closed();
      await button("shell.look").click();
    },
    run: async () => {
      await closed();
      await page.getByRole("button", { name: t("shell.run.more") }).click();
    },
    context: async () => {
      await closed();
      await page.locator('[data-id="lora"]').click({ button: "right", position: { x: 40, y: 8 } });
    },
    form: async () => {
      await closed();
      await page.getByRole("radio", { name: t("shell.view.form") }).click();
    },
    empty: async () => {
      await page.getByRole("radio", { name: t("shell.view.graph") }).click();
      await button("shell.new").click();
    },
  };
}

async function look(page, name) {
  await page.mouse.move(2, 2);
  await page.waitForTimeout(1200);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

try {
  const { id } = await server.post("/api/jobs", {
    graph: (await server.get("/api/templates/quickstart/train_lora")).graph,
    title: "Quickstart",
  });
  await server.ended(id);
  for (const language of ["en", "zh-CN"]) {
    for (const theme of ["light", "dark"]) {
      for (const [width, height] of Object.entries(SIZES)) {
        const name = `${language}-${theme}-${width}`;
        if (chosen.length > 0 && !chosen.includes(name)) continue;
        const page = await visit(language, theme, { viewport: { width: Number(width), height } });
        for (const [screen, reach] of Object.entries(screens(page, (key) => text(language, key)))) {
          await reach();
          await look(page, `${name}-${screen}`);
        }
        await page.context().close();
      }
      const name = `${language}-${theme}-phone`;
      if (chosen.length > 0 && !chosen.includes(name)) continue;
      const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
      const page = await visit(language, theme, phone);
      const pages = page.getByRole("navigation", { name: text(language, "shell.pages") }).getByRole("button");
      for (let index = 0; index < (await pages.count()); index++) {
        await pages.nth(index).tap();
        await look(page, `${name}-${index}`);
      }
      await page.context().close();
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
