import { describe, expect, it } from "vitest";
import type { Check } from "../api/schema";
import { pathsTo, regionChain, validPath } from "./body";
import { addNode, collapse, connect, moveNodes, promote, setSetting, setTitle } from "./edit";
import { GRAPHS, realGraph, realSpecs } from "./fixtures/specs";
import { complete, emptyGraph, sameMeaning } from "./normal";
import { indexSpecs, shapeOf } from "./ports";
import { categoryOf, typeInfo } from "./specs";

const specs = realSpecs();
const check = (ports: Record<string, string>): Check => ({
  ok: true,
  hash: null,
  problems: [],
  ports,
  once: [],
  facts: {},
});

describe("shapeOf", () => {
  it("draws every wire of the shipped graphs at a declared port", () => {
    for (const name of GRAPHS) {
      const graph = realGraph(name);
      for (const id of Object.keys(graph.nodes)) {
        const shape = shapeOf(graph, [], id, specs);
        expect(shape.kind, `${name} ${id}`).not.toBe("unknown");
        const views = [...shape.inputs, ...shape.exits, ...shape.outputs, ...shape.entries];
        expect(
          views.filter((port) => port.stray),
          `${name} ${id}`,
        ).toEqual([]);
      }
      const drawn = Object.keys(graph.nodes).flatMap((id) => {
        const shape = shapeOf(graph, [], id, specs);
        const wired = shape.settings.filter((setting) => setting.wired !== null).length;
        return [...shape.inputs, ...shape.exits].reduce((sum, port) => sum + port.wires.length, wired);
      });
      expect(drawn.reduce((a, b) => a + b, 0)).toBe(Object.keys(graph.edges).length);
    }
  });

  it("gives a subgraph the ports and settings of its interface, with the values of its body", () => {
    const graph = realGraph("train/lora");
    const draw = Object.keys(graph.nodes).find((id) => graph.nodes[id]?.type === "graph:draw")!;
    const shape = shapeOf(graph, [], draw, specs);
    expect(shape.kind).toBe("subgraph");
    expect(shape.inputs.find((port) => port.name === "model")?.declared).toBe("Model");
    expect(shape.outputs.map((port) => [port.name, port.type])).toEqual([["images", "Images"]]);
    const guidance = shape.settings.find((setting) => setting.name === "guidance")!;
    expect(guidance.isDefault).toBe(false);
    expect(guidance.type).toBe("float");
    const reset = { ...graph, nodes: { ...graph.nodes, [draw]: { ...graph.nodes[draw]!, settings: {} } } };
    const inner = shapeOf(reset, [], draw, specs).settings.find((setting) => setting.name === "guidance")!;
    expect([inner.value, inner.isDefault]).toEqual([graph.graphs.draw!.nodes.sample!.settings!.guidance, true]);
  });

  it("shows inside of a subgraph the value that the instance gives", () => {
    const graph = realGraph("train/lora");
    const draw = Object.keys(graph.nodes).find((id) => graph.nodes[id]?.type === "graph:draw")!;
    const set = setSetting(graph, [], draw, "guidance", 3.5);
    const inner = shapeOf(set, [draw], "sample", specs).settings.find((setting) => setting.name === "guidance")!;
    expect([inner.value, inner.promoted]).toEqual([3.5, "guidance"]);
  });

  it("is the same object as long as nothing that it shows has changed", () => {
    const graph = realGraph("train/lora");
    const first = shapeOf(graph, [], "lora", specs);
    expect(shapeOf(moveNodes(graph, [], new Map([["lora", [5, 5]]])), [], "lora", specs)).toBe(first);
    expect(shapeOf(setTitle(graph, [], "save", "Keep"), [], "lora", specs)).toBe(first);
    expect(shapeOf(setSetting(graph, [], "lora", "alpha", 3), [], "lora", specs)).not.toBe(first);
    const answered = shapeOf(graph, [], "lora", specs, check({ "lora.model": "Denoiser" }));
    expect(shapeOf(graph, [], "lora", specs, check({ "lora.model": "Denoiser", "save.out": "SavedFile" }))).toBe(
      answered,
    );
  });

  it("takes resolved types from the check, also through instances and for inputs of a variable type", () => {
    let graph = addNode(emptyGraph(), [], specs.byId.get("value.text")!, { id: "words", at: [0, 0] }).graph;
    graph = addNode(graph, [], specs.byId.get("flow.reroute")!, { id: "dot", at: [0, 0] }).graph;
    graph = addNode(graph, [], specs.byId.get("flow.reroute")!, { id: "end", at: [0, 0] }).graph;
    graph = connect(graph, [], "words.out", "dot.value", { specs });
    graph = connect(graph, [], "dot.out", "end.value", { specs });
    graph = collapse(graph, [], ["dot"], { name: "part", specs }).graph;
    const known = check({ "words.out": "str", "part/dot.out": "str" });
    expect(shapeOf(graph, [], "part", specs, known).outputs[0]?.type).toBe("str");
    expect(shapeOf(graph, [], "end", specs, known).inputs[0]?.type).toBe("str");
    expect(shapeOf(graph, ["part"], "dot", specs, known).outputs[0]?.type).toBe("str");
  });

  it("keeps an unknown type usable: ports from its wires, settings from its values", () => {
    let graph = addNode(emptyGraph(), [], "other.thing", { id: "thing", at: [0, 0], settings: { depth: 3 } }).graph;
    graph = addNode(graph, [], specs.byId.get("flow.reroute")!, { id: "inside", at: [0, 0], inside: "thing" }).graph;
    graph = connect(graph, [], "inside.out", "thing.result", { specs });
    graph = connect(graph, [], "thing.item", "inside.value", { specs });
    const shape = shapeOf(graph, [], "thing", specs);
    expect(shape.kind).toBe("unknown");
    expect(shape.exits.map((port) => port.name)).toEqual(["result"]);
    expect(shape.entries.map((port) => port.name)).toEqual(["item"]);
    expect(shape.settings.map((setting) => [setting.name, setting.value])).toEqual([["depth", 3]]);
  });

  it("marks ports and settings that the type no longer has", () => {
    let graph = addNode(emptyGraph(), [], specs.byId.get("value.int")!, {
      id: "a",
      at: [0, 0],
      settings: { old: 1 },
    }).graph;
    graph = { ...graph, edges: { "a.gone": "a.out" } };
    const shape = shapeOf(graph, [], "a", specs);
    expect(shape.inputs.map((port) => [port.name, port.stray])).toEqual([["gone", true]]);
    expect(shape.settings.filter((setting) => setting.stray).map((setting) => setting.name)).toEqual(["old"]);
  });

  it("says what is promoted and what is wired", () => {
    let graph = addNode(emptyGraph(), [], specs.byId.get("noise.offset")!, { id: "offset", at: [0, 0] }).graph;
    graph = addNode(graph, [], specs.byId.get("value.float")!, { id: "size", at: [0, 0] }).graph;
    graph = connect(promote(graph, [], "offset", "strength"), [], "size.out", "offset.strength", { specs });
    const [strength] = shapeOf(graph, [], "offset", specs).settings;
    expect([strength?.promoted, strength?.wired]).toEqual(["strength", "size.out"]);
  });
});

describe("paths and ids", () => {
  it("cut a path at the first instance that is gone", () => {
    const graph = realGraph("train/lora");
    const draw = Object.keys(graph.nodes).find((id) => graph.nodes[id]?.type === "graph:draw")!;
    const path = [draw];
    expect(validPath(graph, path)).toBe(path);
    expect(validPath(graph, [draw, "sample"])).toEqual([draw]);
    expect(validPath(graph, ["nowhere"])).toEqual([]);
    expect(pathsTo(graph, "draw")).toEqual([[draw]]);
  });

  it("list the regions around a node from the outside in", () => {
    let graph = addNode(emptyGraph(), [], specs.byId.get("train.loop")!, { id: "train", at: [0, 0] }).graph;
    graph = addNode(graph, [], specs.byId.get("train.every")!, { id: "every", at: [0, 0], inside: "train" }).graph;
    graph = addNode(graph, [], "other.x", { id: "x", at: [0, 0], inside: "every" }).graph;
    expect(regionChain(graph, "x")).toEqual(["train", "every"]);
  });
});

describe("specs", () => {
  it("find the type behind a list or an optional", () => {
    expect(typeInfo(specs, "list[Images]?")?.name).toBe("Images");
    expect(categoryOf("noise.offset")).toBe("noise");
    expect(specs.categories).toContain("train");
    expect(indexSpecs({ specs: [], types: [], accepts: {}, codes: {}, problems: [], hash: "" }).categories).toEqual([]);
  });
});

describe("complete", () => {
  it("fills what a file leaves out", () => {
    const graph = complete({ format: "hcpgraph/1", nodes: {}, edges: {} });
    expect(graph.interface).toEqual({ inputs: {}, outputs: {} });
    expect(graph.view).toEqual({ nodes: {}, notes: [], frames: [] });
    expect("run" in graph).toBe(false);
  });

  it("tells moved boxes from a changed meaning", () => {
    const graph = realGraph("train/lora");
    expect(sameMeaning(graph, moveNodes(graph, [], new Map([["lora", [1, 1]]])))).toBe(true);
    expect(sameMeaning(graph, setSetting(graph, [], "lora", "rank", 2))).toBe(false);
  });
});
