import { beforeEach, expect, test } from "vitest";
import type { NodeSpec, PortSpec, Specs } from "../api/schema";
import { bodyAt } from "../graph/body";
import { indexSpecs } from "../graph/specs";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, useTabs } from "../state/tabs";
import { freePlace, insertNode } from "./addNode";

function spec(id: string, inputs: PortSpec[], outputs: PortSpec[], more: Partial<NodeSpec> = {}): NodeSpec {
  const ports = { inputs, outputs, entries: [], exits: [] };
  const rest = { version: 1, title: id, help: "", doc: "", pack: "p", effects: [], body: false };
  const settings = { schema: {}, setting_types: {}, defaults: {} };
  return { id, ...rest, ...ports, ...settings, mutates: [], trains: [], resumes: [], ...more };
}
const out = { name: "out", type: "Images" };
const images = { name: "images", type: "Images" };
const specs: Specs = {
  specs: [
    spec("image.load", [], [out]),
    spec("image.save", [images], []),
    spec("image.blur", [images], [out]),
    spec("flow.each", [], [], { body: true, entries: [{ name: "item", type: "Images" }] }),
  ],
  types: [],
  accepts: { Images: ["Images"] },
  codes: {},
  problems: [],
  hash: "h",
};

beforeEach(() => {
  useSpecs.setState({ index: indexSpecs(specs), language: "en" });
  useTabs.getState().openNew();
  useSession.getState().setSelection([]);
});
const body = () => bodyAt(currentDoc().getState().graph, []);

test("a node for a held wire is added, wired and selected in one step of undo", () => {
  insertNode("image.load", { canvas: [0, 0] });
  const filter = { type: "Images", side: "source", address: "load.out" } as const;
  expect(insertNode("image.save", { canvas: [300, 0], filter }, "images")).toBe("save");
  expect(body().edges).toEqual({ "save.images": "load.out" });
  expect([...useSession.getState().selection]).toEqual(["save"]);
  currentDoc().undo();
  expect(Object.keys(body().nodes)).toEqual(["load"]);
});

test("a held target is fed by the new node", () => {
  insertNode("image.save", { canvas: [0, 0] });
  insertNode(
    "image.load",
    { canvas: [0, 0], filter: { type: "Images", side: "target", address: "save.images" } },
    "out",
  );
  expect(body().edges).toEqual({ "save.images": "load.out" });
});

test("what a source inside of a region feeds goes into that region, wherever the wire was dropped", () => {
  insertNode("flow.each", { canvas: [0, 0] });
  const filter = { type: "Images", side: "source", address: "each.item" } as const;
  insertNode("image.save", { canvas: [900, 0], filter, inside: null }, "images");
  expect(body().nodes.save?.in).toBe("each");
});

test("a node put on a wire stands between its ends", () => {
  insertNode("image.load", { canvas: [0, 0] });
  insertNode(
    "image.save",
    { canvas: [0, 0], filter: { type: "Images", side: "source", address: "load.out" } },
    "images",
  );
  insertNode("image.blur", { canvas: [0, 0], splice: "save.images" });
  expect(body().edges).toEqual({ "blur.images": "load.out", "save.images": "blur.out" });
});

test("a node from the list stands beside the selected one, in a selected region, and on no other node", () => {
  const index = indexSpecs(specs);
  insertNode("image.load", { canvas: [100, 50] });
  const graph = () => currentDoc().getState().graph;
  const beside = freePlace(graph(), [], index, new Set(["load"]));
  expect(beside.canvas[0]).toBeGreaterThan(100);
  expect(beside.canvas[1]).toBe(50);
  insertNode("image.save", beside);
  const below = freePlace(graph(), [], index, new Set(["load"]));
  expect(below.canvas).not.toEqual(beside.canvas);
  insertNode("flow.each", { canvas: [0, 500] });
  expect(freePlace(graph(), [], index, new Set(["each"])).inside).toBe("each");
});
