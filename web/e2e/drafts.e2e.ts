import { expect, it } from "vitest";
import { until } from "./server";
import { makeStage } from "./support";
import { drawingGraph } from "./toy";

const stage = makeStage();

it("has every tab back, with what was not saved, after the page has crashed", async () => {
  const editor = await stage.open();
  const { page } = editor;
  await editor.openSaved("first", drawingGraph("First"));
  await editor.select("denoise");
  await editor.fill("Seed", 4711);
  await editor.button("New graph").click();
  await editor.node("denoise").waitFor({ state: "detached" });
  await editor.add("value.text");
  await editor.node("text").waitFor();
  const tabs = page.getByRole("navigation", { name: "Open graphs" }).getByRole("listitem");
  const names = (await tabs.allInnerTexts()).map((text) => text.trim());
  expect(names.length).toBe(3);
  // Drafts are written within a second of an edit.
  await page.waitForTimeout(1500);

  const crashed = page.waitForEvent("crash");
  const client = await page.context().newCDPSession(page);
  client.send("Page.crash").catch(() => {});
  await crashed;
  const context = page.context();
  await page.close().catch(() => {});

  const fresh = await stage.openIn(context);
  const back = fresh.page.getByRole("navigation", { name: "Open graphs" }).getByRole("listitem");
  await expect.poll(async () => (await back.allInnerTexts()).map((text) => text.trim())).toEqual(names);
  await fresh.node("text").waitFor();
  await fresh.tab("first").click();
  await fresh.node("denoise").waitFor();
  expect((await fresh.document()).graph.nodes.denoise?.settings?.seed).toBe(4711);
  expect(await fresh.tab("first").textContent()).toContain("unsaved changes");
});

it("has a text that was typed just before a reload, in each of two windows that are loaded anew together", async () => {
  const one = await stage.open();
  const two = await stage.openIn(one.page.context());
  const editors = [one, two];
  for (const [at, editor] of editors.entries()) {
    await editor.openSaved(`window-${at}`, drawingGraph(`Window ${at}`));
    await editor.select("denoise");
    await editor.inspector.getByRole("spinbutton", { name: "Seed", exact: true }).fill(`${4700 + at}`);
  }
  // Nothing waits: neither the field, nor the second after which a draft is written.
  await Promise.all(editors.map((editor) => editor.page.reload()));
  for (const [at, editor] of editors.entries()) {
    await editor.ready();
    await editor.tab(`window-${at}`).and(editor.page.locator('[aria-current="page"]')).waitFor();
    const seed = await until(
      "the document",
      async () => (await editor.document()).graph.nodes.denoise?.settings?.seed ?? null,
    );
    expect(seed).toBe(4700 + at);
    expect(await editor.tab(`window-${1 - at}`).count()).toBe(0);
  }
});
