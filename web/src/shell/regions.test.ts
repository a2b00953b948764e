import { afterEach, beforeEach, expect, test } from "vitest";
import { nextRegion } from "./regions";

beforeEach(() => {
  document.body.innerHTML = `
    <section data-region="left" tabindex="-1"><button id="tab">tab</button><input id="field" data-region-start></section>
    <main data-region="main" tabindex="-1"><button id="node">node</button><button id="other">other</button></main>
    <section data-region="dock" tabindex="-1" id="dock"></section>`;
  // happy-dom lays nothing out: everything counts as shown
  for (const one of document.querySelectorAll<HTMLElement>("[data-region]")) {
    Object.defineProperty(one, "offsetParent", { value: document.body });
  }
});
afterEach(() => document.body.replaceChildren());
const here = () => document.activeElement?.id;

test("walks through the parts, to their first control or to the part itself, and round again", () => {
  nextRegion(1);
  expect(here()).toBe("field");
  nextRegion(1);
  expect(here()).toBe("node");
  nextRegion(1);
  expect(here()).toBe("dock");
  nextRegion(1);
  expect(here()).toBe("field");
});

test("comes back to what had the focus there", () => {
  document.getElementById("other")?.focus();
  nextRegion(-1);
  expect(here()).toBe("field");
  nextRegion(1);
  expect(here()).toBe("other");
});
