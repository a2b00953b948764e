import { describe, expect, it } from "vitest";
import { children, inside } from "./body";
import { addNode, connect, placeNodes } from "./edit";
import { GRAPHS, realGraph, realSpecs } from "./fixtures/specs";
import { bounds, NODE_SIZE, nodeBox, regionBounds } from "./geometry";
import { layout } from "./layout";
import { emptyGraph } from "./normal";
import { type OutlineNode, outline } from "./outline";
import { searchSpecs } from "./search";

const specs = realSpecs();
const overlap = (a: { x: number; y: number; w: number; h: number }, b: typeof a) =>
  a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

describe("layout", () => {
  it("leaves no two nodes on each other and keeps every region around its nodes", async () => {
    for (const name of GRAPHS) {
      const graph = realGraph(name);
      const next = placeNodes(graph, [], await layout(graph, [], null, new Map()));
      for (const [owner, ids] of children(next)) {
        const boxes = ids.map((id) => [id, nodeBox(next, id, new Map())] as const);
        for (const [a, one] of boxes) {
          for (const [b, two] of boxes) if (a < b) expect(overlap(one, two), `${name}: ${a} and ${b}`).toBe(false);
        }
        if (owner === null) continue;
        const region = regionBounds(next, owner, new Map())!;
        for (const [id, box] of boxes) {
          expect(box.x >= region.x && box.x + box.w <= region.x + region.w, `${name}: ${id} in ${owner}`).toBe(true);
        }
      }
    }
  });

  it("lets data flow to the right", async () => {
    const graph = realGraph("train/lora");
    const next = placeNodes(graph, [], await layout(graph, [], null, new Map()));
    const x = (id: string) => next.view.nodes?.[id]?.[0] ?? 0;
    expect(x("pictures")).toBeLessThan(x("buckets"));
    expect(x("buckets")).toBeLessThan(x("loader"));
  });

  it("moves only what was asked for, about its middle", async () => {
    const graph = realGraph("train/lora");
    const places = await layout(graph, [], ["pictures", "buckets", "loader"], new Map());
    expect([...places.keys()].sort()).toEqual(["buckets", "loader", "pictures"]);
    const middle = (all: readonly (readonly number[])[]) => {
      const box = bounds(all.map(([x = 0, y = 0]) => ({ x, y, ...NODE_SIZE })))!;
      return [box.x + box.w / 2, box.y + box.h / 2];
    };
    const before = middle(["pictures", "buckets", "loader"].map((id) => graph.view.nodes![id]!));
    const after = middle([...places.values()]);
    expect(Math.abs(after[0]! - before[0]!) + Math.abs(after[1]! - before[1]!)).toBeLessThanOrEqual(2);
  });
});

describe("outline", () => {
  it("mirrors the graph: every node once, in its region, after what feeds it", () => {
    for (const name of GRAPHS) {
      const graph = realGraph(name);
      const seen: string[] = [];
      const walk = (rows: OutlineNode[], owner: string | null): void => {
        for (const row of rows) {
          seen.push(row.id);
          expect(graph.nodes[row.id]?.in ?? null).toBe(owner);
          walk(
            row.children.filter((child) => child.kind === "node"),
            row.id,
          );
        }
      };
      walk(outline(graph, [], specs), null);
      expect([...seen].sort()).toEqual(Object.keys(graph.nodes).sort());
    }
    const lora = outline(realGraph("train/lora"), [], specs).map((row) => row.id);
    expect(lora.indexOf("pictures")).toBeLessThan(lora.indexOf("buckets"));
  });

  it("names sources, readers and what is missing", () => {
    let graph = addNode(emptyGraph(), [], specs.byId.get("noise.gaussian")!, { id: "noise", at: [0, 0] }).graph;
    graph = addNode(graph, [], specs.byId.get("noise.offset")!, { id: "offset", at: [0, 0] }).graph;
    expect(outline(graph, [], specs).find((row) => row.id === "offset")?.missing).toEqual(["noise"]);
    graph = connect(graph, [], "noise.out", "offset.noise", { specs });
    const offset = outline(graph, [], specs).find((row) => row.id === "offset")!;
    expect(offset.missing).toEqual([]);
    const port = offset.children[0]!;
    expect(port.kind === "port" && port.sources).toEqual([
      { target: "offset.noise", source: "noise.out", title: specs.byId.get("noise.gaussian")!.title },
    ]);
  });

  it("comes to an end where wires go round in a circle", () => {
    let graph = addNode(emptyGraph(), [], specs.byId.get("flow.reroute")!, { id: "a", at: [0, 0] }).graph;
    graph = addNode(graph, [], specs.byId.get("flow.reroute")!, { id: "b", at: [9, 0] }).graph;
    graph = connect(graph, [], "a.out", "b.value", { specs });
    graph = connect(graph, [], "b.out", "a.value", { specs });
    expect(outline(graph, [], specs).map((row) => row.id)).toEqual(["a", "b"]);
    expect(inside(graph, "a").size).toBe(0);
  });
});

describe("search", () => {
  const ids = (query: string, lang = "en") => searchSpecs(query, specs, lang).map((hit) => hit.spec.id);

  it("finds by id, title, words in any order, and letters in order", () => {
    expect(ids("noise.offset")[0]).toBe("noise.offset");
    expect(ids("offset")[0]).toBe("noise.offset");
    expect(ids("offset noise")).toContain("noise.offset");
    expect(ids("lora")[0]).toBe("plugin.lora");
    expect(ids("adno")).toContain("diffusion.add_noise");
  });

  it("gives everything for no words and nothing for nonsense", () => {
    expect(ids("").length).toBe(specs.byId.size);
    expect(ids("zzqqxx")).toEqual([]);
    expect(ids("noise zzqqxx")).toEqual([]);
  });

  it("finds by the texts of both languages", () => {
    const spec = specs.byId.get("noise.offset")!;
    const chinese = { ...specs, byId: new Map([[spec.id, { ...spec, title: "偏移噪声", title_en: spec.title }]]) };
    expect(searchSpecs("噪声", chinese, "zh-CN").map((hit) => hit.spec.id)).toEqual(["noise.offset"]);
    expect(searchSpecs("offset", chinese, "zh-CN").map((hit) => hit.spec.id)).toEqual(["noise.offset"]);
    expect(ids("噪声偏移"), "Chinese titles are found in the English page").toContain("noise.offset");
  });
});
