/**
 * The pictures of the templates: graphs/GROUP/NAME.webp and .dark.webp beside every graphs/GROUP/NAME.json, the graph as
 * it is drawn in each theme.
 *
 *     python web/tool.py node e2e/template_pictures.mjs [GROUP/NAME …]
 *
 * After it `python -m docs.generate.template_results` puts what comes out of the quickstart in the place of its graphs.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT, Server } from "./server.ts";
import { launch } from "./window.mjs";

const SIZE = { width: 480, height: 270 };
/** Drawn in twice that size: smaller, the nodes would not say what they are. */
const DRAWN = { width: 2 * SIZE.width, height: 2 * SIZE.height };
const MOST_BYTES = 20 * 1024;
/** The drawing alone, over the whole window. */
const ALONE = `
  body * { visibility: hidden; }
  [role="application"], [role="application"] .react-flow__viewport, [role="application"] .react-flow__viewport * {
    visibility: visible;
  }
  /* A path that leads nowhere on this machine is no fault of a template. */
  [role="application"] [aria-invalid="true"] { border-color: var(--line) !important; }
  [role="application"] { inset: 0; position: fixed !important; z-index: 1000; }
  /* Seen small, the quiet colours would be one grey. */
  [role="application"] .react-flow__renderer { filter: saturate(1.5); }
  [data-theme="dark"] [role="application"] .react-flow__renderer { filter: saturate(1.7) brightness(1.45); }
`;

/** A PNG as WebP of another size, as good as it may be; the browser does it. */
async function smaller(page, png) {
  const data = await page.evaluate(
    async ({ base64, width, height, most }) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const size = { resizeWidth: width, resizeHeight: height, resizeQuality: "high" };
      const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }), size);
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").drawImage(picture, 0, 0);
      for (let quality = 0.9; quality > 0.5; quality -= 0.05) {
        const found = canvas.toDataURL("image/webp", quality).split(",")[1];
        if (found.length * 0.75 <= most) return found;
      }
      throw new Error("the picture is too large");
    },
    { base64: png.toString("base64"), ...SIZE, most: MOST_BYTES },
  );
  return Buffer.from(data, "base64");
}

const THEMES = { light: ".webp", dark: ".dark.webp" };
const chosen = process.argv.slice(2);
const server = await Server.start();
const browser = await launch();

/** A template alone in the window, in a theme. */
async function draw(name, title, colorScheme) {
  const context = await browser.newContext({
    viewport: { width: 1600, height: 1000 },
    locale: "en-US",
    colorScheme,
    reducedMotion: "reduce",
    bypassCSP: true,
  });
  const page = await context.newPage();
  // What is missing on this machine is no part of a template.
  await page.route("**/api/check", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), problems: [] } });
  });
  await page.goto(server.url);
  await page.getByRole("button", { name: "Templates", exact: true }).click();
  // Its card begins with the title, which others may have in their texts.
  const begins = new RegExp(`^\\s*${title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![+\\w])`);
  await page.getByRole("dialog", { name: "Templates" }).getByRole("button", { name: begins }).first().click();
  await page.getByRole("navigation", { name: "Open graphs" }).getByText(title).first().waitFor();
  await page.setViewportSize(DRAWN);
  await page.addStyleTag({ content: ALONE });
  await page.waitForLoadState("networkidle");
  await page.getByRole("application").focus();
  await page.keyboard.press(".");
  await page.mouse.move(2, 2);
  // Checked, drawn at its new place, and nothing of a focus is left.
  await page.waitForTimeout(1500);
  await page.evaluate(() => document.activeElement?.blur());
  const picture = await smaller(page, await page.screenshot());
  await writeFile(join(CHECKOUT, "graphs", `${name}${THEMES[colorScheme]}`), picture);
  process.stdout.write(`${name}, ${colorScheme}: ${picture.length} bytes\n`);
  await context.close();
}

try {
  for (const { name, title } of await server.get("/api/templates")) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    for (const theme of Object.keys(THEMES)) await draw(name, title, theme);
  }
} finally {
  await browser.close();
  await server.stop();
}
