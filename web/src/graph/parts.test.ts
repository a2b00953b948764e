import { describe, expect, it } from "vitest";
import type { GraphFile } from "../api/schema";
import { legalSources, legalTargets } from "./connect";
import { addNode, collapse, connect, promote } from "./edit";
import { realSpecs } from "./fixtures/specs";
import { emptyGraph } from "./normal";
import { drawnShape, offered, wholeOf } from "./parts";
import { type NodeShape, portsOf, shapeOf } from "./ports";

const specs = realSpecs();
const ONE_CABLE = { "lora.model": "load.model", "draw.model": "lora.model" };

function drawn(edges: Record<string, string> = {}, more: Record<string, string> = {}): GraphFile {
  let graph = emptyGraph();
  const nodes = { load: "model.load", lora: "plugin.lora", draw: "sample.denoise", ...more };
  for (const [id, type] of Object.entries(nodes)) {
    graph = addNode(graph, [], specs.byId.get(type)!, { id, at: [0, 0] }).graph;
  }
  for (const [target, source] of Object.entries(edges)) graph = connect(graph, [], source, target, { specs });
  return graph;
}
const names = ({ inputs, outputs }: NodeShape) => [inputs, outputs].map((ports) => ports.map((port) => port.name));
const seen = (graph: GraphFile, node: string, ...open: string[]) =>
  drawnShape(shapeOf(graph, [], node, specs), node, (whole) => open.includes(whole));

describe("parts of a bundle", () => {
  it("are in sight where they are opened", () => {
    const graph = drawn(ONE_CABLE);
    expect(names(seen(graph, "load"))).toEqual([[], ["model"]]);
    expect(names(seen(graph, "load", "load.model"))).toEqual([
      [],
      ["model", "denoiser", "text_encoder", "vae", "schedule"],
    ]);
    expect(names(seen(graph, "draw"))[0]).not.toContain("denoiser");
    expect(names(seen(graph, "draw"))[0]).toContain("negative_denoiser");
    expect(seen(graph, "draw").inputs[0]?.opened).toBe(false);
    expect(seen(graph, "draw", "draw.model").inputs[0]?.opened).toBe(true);
  });

  it("are in sight where they are used", () => {
    const graph = drawn({ "draw.denoiser": "load.denoiser" });
    expect(names(seen(graph, "load"))).toEqual([[], ["model", "denoiser"]]);
    const inputs = names(seen(graph, "draw"))[0];
    expect([inputs?.includes("denoiser"), inputs?.includes("schedule")]).toEqual([true, false]);
    expect(names(seen(promote(graph, [], "draw", "schedule"), "draw"))[0]).toContain("schedule");
    expect(wholeOf(shapeOf(graph, [], "draw", specs), "draw", "schedule")).toBe("draw.model");
    expect(wholeOf(shapeOf(graph, [], "draw", specs), "draw", "denoiser")).toBeNull();
  });

  it("have nothing to open where all of them are used, or where there are none", () => {
    const parts = drawn({ "draw.denoiser": "load.denoiser", "draw.schedule": "load.schedule" });
    const shape = shapeOf(parts, [], "draw", specs);
    expect(seen(parts, "draw")).toBe(shape);
    expect(shape.inputs[0]?.opened).toBeUndefined();
    const lora = shapeOf(parts, [], "lora", specs);
    expect(seen(parts, "lora")).toBe(lora);
  });

  it("give the same shape for the same ports in sight", () => {
    const graph = drawn(ONE_CABLE);
    expect(seen(graph, "draw")).toBe(seen(graph, "draw", "load.model"));
    expect(seen(graph, "draw")).not.toBe(seen(graph, "draw", "draw.model"));
  });

  it("do for the whole, which else is missing", () => {
    const whole = (graph: GraphFile) => shapeOf(graph, [], "draw", specs).inputs[0];
    expect([whole(drawn())?.name, whole(drawn())?.optional]).toEqual(["model", false]);
    expect(whole(drawn({ "draw.schedule": "load.schedule" }))?.optional).toBe(true);
  });
});

describe("offered ends", () => {
  const ends = (graph: GraphFile, node: string, source: string, type: string) => {
    const legal = legalTargets(graph, [], source, { specs });
    return offered(portsOf(shapeOf(graph, [], node, specs), node), legal, type).map((port) => port.name);
  };

  it("are the one port for the whole, and a part for a wire of its type", () => {
    const graph = drawn();
    expect(legalTargets(graph, [], "load.model", { specs })).toContain("draw.denoiser");
    expect(ends(graph, "draw", "load.model", "Model")).toEqual(["model", "negative_denoiser"]);
    expect(ends(graph, "draw", "load.denoiser", "Denoiser")).toEqual(["denoiser", "negative_denoiser"]);
    const lora = legalSources(graph, [], "lora.model", { specs });
    const sources = portsOf(shapeOf(graph, [], "load", specs), "load");
    expect(offered(sources, lora, "Handle").map((port) => port.name)).toEqual(["model"]);
  });
});

describe("the input of a subgraph", () => {
  const typeOf = (edges: Record<string, string>, inside: string[], more: Record<string, string>) => {
    const graph = collapse(drawn(edges, more), [], inside, { name: "part", specs }).graph;
    const shape = shapeOf(graph, [], "part", specs);
    return shape.inputs.filter((port) => port.wires.length > 0).map((port) => port.declared);
  };

  it("is a bundle where it leads to several of its parts, else what the part is", () => {
    const more = { encode: "text.encode", decode: "image.decode" };
    const three = { "draw.model": "load.model", "encode.text_encoder": "load.model", "decode.vae": "load.model" };
    expect(typeOf(three, ["draw", "encode", "decode"], more)).toEqual(["Model"]);
    const two = { "encode.text_encoder": "load.model", "decode.vae": "load.model" };
    expect(typeOf(two, ["encode", "decode"], more)).toEqual(["Model"]);
    expect(typeOf(two, ["decode"], more)).toEqual(["Vae"]);
  });

  it("takes a bundle where it leads to a variable that one of its parts may bind", () => {
    const graph = collapse(drawn({ "lora.model": "load.denoiser" }), [], ["lora"], { name: "part", specs }).graph;
    expect(legalTargets(graph, [], "load.model", { specs })).toContain("part.model");
  });
});
