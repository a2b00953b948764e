// @vitest-environment node
import { expect, test } from "vitest";
import { matchOf } from "./search";

test("what is typed fits exactly, then as a start, then as the start of a word, then inside, then by its letters", () => {
  const found = ["Run", "Runs", "Add a run", "Prune", "Refuse unknown nodes"].map((text) => matchOf([text], "run"));
  expect(found).toEqual([...found].sort((a, b) => b - a));
  expect(new Set(found).size).toBe(found.length);
  expect(matchOf(["Save"], "run")).toBe(0);
});

test("every word counts, in any of the languages", () => {
  expect(matchOf(["Save as", "另存为"], "另存")).toBeGreaterThan(
    matchOf(["Open a saved graph", "打开已另存的工作流"], "另存"),
  );
  expect(matchOf(["Align to the left"], "left align")).toBeGreaterThan(0);
  expect(matchOf(["Align to the left"], "left down")).toBe(0);
  expect(matchOf(["Align left"], "align left")).toBeGreaterThan(matchOf(["Left: align"], "align left"));
});
