import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { GraphFile } from "../src/api/schema";
import { CHECKOUT, until } from "./server";
import { makeStage } from "./support";

const stage = makeStage();
const LAPTOP = { viewport: { width: 1280, height: 800 } };

/** Wires that come into a node, or into a region, that they do not belong to. */
function behind(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const boxes = [...document.querySelectorAll<HTMLElement>(".react-flow__node")].map((element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      return { id: element.dataset.id ?? "", left, right, top, bottom, around: [] as string[] };
    });
    for (const box of boxes) {
      const outer = boxes.filter(
        (one) =>
          one !== box &&
          one.left <= box.left &&
          one.right >= box.right &&
          one.top <= box.top &&
          one.bottom >= box.bottom,
      );
      box.around = outer.map((one) => one.id);
    }
    const ownerOf = (address: string) => boxes.find((box) => box.id === address.split(".")[0]);
    const found: string[] = [];
    for (const edge of document.querySelectorAll<SVGGElement>(".react-flow__edge")) {
      const path = edge.querySelector<SVGPathElement>(".react-flow__edge-path");
      const matrix = path?.getScreenCTM();
      if (!path || !matrix) continue;
      const target = edge.dataset.id ?? "";
      const source = edge.getAttribute("aria-label") ?? "";
      const own = new Set(
        [ownerOf(target), ...boxes.filter((box) => source.includes(`${box.id}.`))].flatMap((box) =>
          box ? [box.id, ...box.around] : [],
        ),
      );
      const length = path.getTotalLength();
      for (let at = 0; at <= length; at += 4) {
        const { x, y } = path.getPointAtLength(at).matrixTransform(matrix);
        const hit = boxes.find(
          (box) => !own.has(box.id) && x > box.left + 1 && x < box.right - 1 && y > box.top + 1 && y < box.bottom - 1,
        );
        if (hit) {
          found.push(`${target} behind ${hit.id}`);
          break;
        }
      }
    }
    return found;
  });
}

it("opens the first graph where it begins, in full size, with no wire behind a node", async () => {
  const editor = await stage.open(LAPTOP);
  const { page } = editor;
  expect(await page.getByRole("button", { name: /^Zoom is/ }).textContent()).toBe("100 %");
  const canvas = (await page.getByRole("application").boundingBox())!;
  for (const id of ["model", "lora", "cats"]) {
    const box = (await editor.node(id).boundingBox())!;
    expect(box.x >= canvas.x && box.x + box.width <= canvas.x + canvas.width, id).toBe(true);
    expect(box.y >= canvas.y && box.y + box.height <= canvas.y + canvas.height, id).toBe(true);
  }
  // the controls stand below the canvas, and there is no map that nobody asked for
  const bar = (await page.getByRole("toolbar", { name: "View" }).boundingBox())!;
  expect(bar.y).toBeGreaterThanOrEqual(canvas.y + canvas.height);
  expect(await page.getByRole("img", { name: "Map of the graph" }).count()).toBe(0);
  await until("the ways of the wires", async () => ((await behind(page)).length === 0 ? true : null), 20_000);

  // what is moved over a wire is gone round once it lies there
  await editor.button("Fit everything in view").click();
  const card = (await editor.node("buckets").boundingBox())!;
  const [above, below] = [(await editor.node("schedule").boundingBox())!, (await editor.node("loader").boundingBox())!];
  const middle = (above.y + above.height + below.y - card.height) / 2;
  await page.mouse.move(card.x + 20, card.y + 5);
  await page.mouse.down();
  await page.mouse.move(above.x + 20, middle + 5, { steps: 8 });
  await page.mouse.up();
  await until("the ways of the wires", async () => ((await behind(page)).length === 0 ? true : null), 20_000);
});

it("opens a graph that fits as a whole", async () => {
  const editor = await stage.open({ viewport: { width: 1920, height: 1080 } });
  const file = join(CHECKOUT, "graphs/quickstart/generate.json");
  const graph = JSON.parse(await readFile(file, "utf8")) as GraphFile;
  await editor.openSaved("small", graph);
  const canvas = (await editor.page.getByRole("application").boundingBox())!;
  for (const id of Object.keys(graph.nodes)) {
    const box = (await editor.node(id).boundingBox())!;
    expect(box.x >= canvas.x && box.x + box.width <= canvas.x + canvas.width, id).toBe(true);
    expect(box.y >= canvas.y && box.y + box.height <= canvas.y + canvas.height, id).toBe(true);
  }
});
