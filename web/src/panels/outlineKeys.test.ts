import { expect, test } from "vitest";
import type { OutlineNode, OutlinePort } from "../graph/outline";
import { outlineAct } from "./outlineKeys";
import { visibleRows } from "./outlineRows";

const loss: OutlinePort = {
  kind: "port",
  key: "train.loss input",
  node: "train",
  name: "loss",
  side: "exit",
  type: "Loss",
  address: "train.loss",
  sources: [],
  readers: [],
  missing: true,
  children: [],
};
const node = (id: string, ...children: OutlineNode["children"]): OutlineNode => ({
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
// train (open): its port, mean; after
const rows = visibleRows([node("train", loss, node("mean")), node("after")], new Set());
const press = (key: string, at: number, more: object = {}, fixed = false) =>
  outlineAct(
    { key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more },
    { rows, at, page: 10, fixed },
  );

test("arrows move, fold and climb", () => {
  expect(press("ArrowDown", 0)).toEqual({ does: "go", to: 1, add: false });
  expect(press("ArrowUp", 0)).toEqual({ does: "go", to: 0, add: false });
  expect(press("ArrowLeft", 0)).toEqual({ does: "toggle" });
  expect(press("ArrowLeft", 2)).toEqual({ does: "go", to: 0, add: false });
  expect(press("ArrowRight", 0)).toEqual({ does: "go", to: 1, add: false });
  expect(press("ArrowRight", 3)).toBeNull();
  expect(press("End", 0)).toEqual({ does: "go", to: 3, add: false });
  expect(press("PageDown", 1)).toEqual({ does: "go", to: 3, add: false });
});

test("C connects a port and looks for a title on a node", () => {
  expect(press("c", 1)).toEqual({ does: "connect" });
  expect(press("c", 2)).toEqual({ does: "type", letter: "c" });
});

test("nothing is edited where nothing can be", () => {
  expect(press("Delete", 2)).toEqual({ does: "remove" });
  expect(press("m", 2, { ctrlKey: true })).toEqual({ does: "mute" });
  expect(press("Delete", 2, {}, true)).toBeNull();
  expect(press("F2", 2, {}, true)).toBeNull();
  expect(press("m", 2, { ctrlKey: true }, true)).toBeNull();
  expect(press("c", 1, {}, true)).toEqual({ does: "type", letter: "c" });
});

test("keys of other commands go on", () => {
  expect(press("z", 0, { ctrlKey: true })).toBeNull();
  expect(press("ArrowDown", 0, { altKey: true })).toBeNull();
});
