import { expect, test } from "vitest";
import type { OutlineNode, OutlinePort } from "../graph/outline";
import { pathTo, typed, visibleRows } from "./outlineRows";

const port = (node: string, name: string): OutlinePort => ({
  kind: "port",
  key: `${node}.${name} input`,
  node,
  name,
  side: "input",
  type: "int",
  address: `${node}.${name}`,
  sources: [],
  readers: [],
  missing: false,
  children: [],
});
const node = (id: string, ...children: (OutlineNode | OutlinePort)[]): OutlineNode => ({
  kind: "node",
  key: id,
  id,
  flat: id,
  title: id,
  type: "a.b",
  is: "node",
  mode: null,
  missing: [],
  children,
});

const tree = [
  node("load", port("load", "path")),
  node("train", port("train", "loss"), node("batch", port("batch", "of")), node("mean")),
];
const keys = (toggled: string[]) => visibleRows(tree, new Set(toggled)).map((one) => one.row.key);

test("regions are open and ports are folded until they are toggled", () => {
  expect(keys([])).toEqual(["load", "train", "train.loss input", "batch", "mean"]);
  expect(keys(["load", "train"])).toEqual(["load", "load.path input", "train"]);
});

test("levels and places are those of a tree for screen readers", () => {
  const rows = visibleRows(tree, new Set());
  expect(rows.map(({ level, place, size, open }) => [level, place, size, open])).toEqual([
    [1, 1, 2, false],
    [1, 2, 2, true],
    [2, 1, 3, null],
    [2, 2, 3, false],
    [2, 3, 3, null],
  ]);
  expect(rows[3]?.parent).toBe("train");
});

test("the rows around a node, and none for one that is not there", () => {
  expect(pathTo(tree, "mean")?.map((row) => row.id)).toEqual(["train"]);
  expect(pathTo(tree, "load")).toEqual([]);
  expect(pathTo(tree, "gone")).toBeNull();
});

test("typing goes round the list, a longer word stays where it fits", () => {
  const rows = visibleRows([node("add"), node("apple"), node("mean")], new Set());
  const name = (row: { key: string }) => row.key;
  expect(typed(rows, 0, "a", name)).toBe(1);
  expect(typed(rows, 1, "a", name)).toBe(0);
  expect(typed(rows, 1, "ap", name)).toBe(1);
  expect(typed(rows, 0, "z", name)).toBe(-1);
});
