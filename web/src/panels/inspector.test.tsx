import { act, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GraphFile, NodeRun } from "../api/schema";
import { addNode } from "../graph/edit";
import { realGraph, realSpecs } from "../graph/fixtures/specs";
import { complete, emptyGraph } from "../graph/normal";
import { shapeOf } from "../graph/ports";
import { useRuns } from "../state/run";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, useTabs } from "../state/tabs";
import { NOTHING, serve, write } from "../widgets/fixtures/setup";
import { workingNode } from "./FormRun";
import { FormView } from "./FormView";
import { formFields } from "./formFields";
import { Inspector } from "./Inspector";
import { commonSettings } from "./InspectorMany";
import { groupSettings } from "./InspectorNode";

function open(graph: GraphFile): void {
  useTabs.getState().open({ ...NOTHING, graph }, "template");
}
function select(...nodes: string[]): void {
  useSession.getState().setSelection(nodes);
}

/** Its parts are fetched when they are first shown. */
async function inspect(): Promise<void> {
  render(<Inspector />);
  await screen.findByRole("heading", { level: 2 });
}

beforeEach(() => {
  serve({});
  useSpecs.setState({ index: realSpecs() });
  open(realGraph("train/lora"));
  useSession.getState().setSelection([]);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const graphNow = () => currentDoc().getState().graph;

describe("a node", () => {
  it("shows help first, then its settings, then its ports with jumps", async () => {
    const user = userEvent.setup();
    select("lora");
    await inspect();
    expect(screen.getByRole("heading", { level: 2 }).textContent).toBe(realSpecs().byId.get("plugin.lora")?.title);
    expect(screen.getByText(realSpecs().byId.get("plugin.lora")?.help ?? "")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "model comes from model.model: go there" }));
    expect(useSession.getState().focus).toMatchObject({ node: "model", port: "model" });
  });

  it("says which wire wins where a whole model and a part of it come in", async () => {
    let graph = emptyGraph();
    for (const [id, type] of Object.entries({ load: "model.load", draw: "sample.denoise" })) {
      graph = addNode(graph, [], realSpecs().byId.get(type)!, { id, at: [0, 0] }).graph;
    }
    const edges = { "draw.model": "load.model", "draw.denoiser": "load.denoiser" };
    open({ ...graph, edges });
    select("draw");
    await inspect();
    const model = screen.getByText("model").closest("li") as HTMLElement;
    within(model).getByText("Parts: denoiser, text_encoder, vae, process");
    within(model).getByText("Wired on their own, these win over the parts of this wire: denoiser");
    const denoiser = screen.getByText("denoiser").closest("li") as HTMLElement;
    expect(within(denoiser).queryByText(/win over/)).toBeNull();
  });

  it("folds the advanced settings", async () => {
    const user = userEvent.setup();
    select("adamw");
    await inspect();
    expect(screen.queryByRole("spinbutton", { name: "eps" })).toBeNull();
    await user.click(screen.getByRole("button", { name: /Advanced/ }));
    expect(screen.getByRole("spinbutton", { name: "eps" })).toBeTruthy();
  });

  it("is renamed on Enter, keeps its wires and stays selected; a taken id is refused with a reason", async () => {
    const user = userEvent.setup();
    select("adamw");
    await inspect();
    await user.click(screen.getByRole("button", { name: "Name and mode" }));
    const field = () => screen.getByRole("textbox", { name: "Id" });
    write(field(), "lora");
    expect(screen.getByRole("alert").textContent).toContain("lora");
    expect(graphNow().nodes.adamw).toBeDefined();
    write(field(), "optimizer");
    expect(graphNow().edges["schedule.optimizer"]).toBe("optimizer.out");
    expect([...useSession.getState().selection]).toEqual(["optimizer"]);
  });

  it("is muted by a click", async () => {
    const user = userEvent.setup();
    select("save_plot");
    await inspect();
    await user.click(screen.getByRole("button", { name: "Name and mode" }));
    await user.click(screen.getByRole("radio", { name: "Mute" }));
    expect(graphNow().nodes.save_plot?.mode).toBe("mute");
  });

  it("brings the setting that a problem leads to, unfolds it and gives it the focus once", async () => {
    useSession.getState().focusNode("adamw", "eps");
    await inspect();
    const field = screen.getByRole("spinbutton", { name: "eps" });
    expect(document.activeElement).toBe(field);
    act(() => {
      field.blur();
      currentDoc().edit("test", (graph) => ({ ...graph, meta: { title: "x" } }));
    });
    expect(document.activeElement).not.toBe(field);
  });

  it("that failed in its own code shows where, folded", async () => {
    const user = userEvent.setup();
    const failed = { code: "E_RUN", message: "ValueError: no", severity: "error" as const, node: "lora" };
    useRuns.setState({ nodes: { lora: { state: "failed", problem: failed, traceback: "File own.py, line 3" } } });
    select("lora");
    await inspect();
    const details = screen.getByText("File own.py, line 3").closest("details");
    expect(details?.open).toBe(false);
    await user.click(screen.getByText("Details"));
    expect(details?.open).toBe(true);
    await user.click(screen.getByRole("button", { name: "Copy the details" }));
    expect(await navigator.clipboard.readText()).toBe("File own.py, line 3");
    useRuns.setState({ nodes: {} });
  });

  it("of an unknown type keeps and shows its settings", async () => {
    open(complete({ nodes: { x: { type: "other.node", version: 1, settings: { deep: { a: [1] } } } } }));
    select("x");
    await inspect();
    expect(screen.getByText(/is not installed here/)).toBeTruthy();
    expect((screen.getByRole("textbox", { name: "Deep" }) as HTMLTextAreaElement).value).toBe('{"a":[1]}');
  });
});

describe("settings", () => {
  it("stand in groups: primary first, named ones, advanced", () => {
    const graph = complete({ nodes: { m: { type: "model.new", version: 1 } } });
    const { plain, named, advanced } = groupSettings(shapeOf(graph, [], "m", realSpecs()).settings);
    expect(plain[0]?.name).toBe("family");
    expect([...named.keys()]).toEqual(["UNet", "Text", "VAE"]);
    expect(advanced.map(({ name }) => name)).toContain("checkpointing");
  });
});

describe("several nodes", () => {
  it("have their common settings edited together, in one step", async () => {
    open(realGraph("train/lora_text_encoder"));
    select("lora", "text_lora");
    await inspect();
    const box = screen.getByRole("spinbutton", { name: "Rank" });
    write(box, "32");
    const ranks = () => ["lora", "text_lora"].map((id) => graphNow().nodes[id]?.settings?.rank);
    expect(ranks()).toEqual([32, 32]);
    currentDoc().undo();
    expect(ranks()).toEqual([16, 8]);
  });

  it("say where they differ, and leave out what a wire feeds", () => {
    open(realGraph("train/lora_text_encoder"));
    const shapes = ["lora", "text_lora"].map((id) => shapeOf(graphNow(), [], id, realSpecs()));
    const same = Object.fromEntries(commonSettings(shapes).map((one) => [one.setting.name, one.same]));
    expect(same).toMatchObject({ bias: true, layers: false, rank: false, alpha: false });
    currentDoc().edit("test", (graph) => ({ ...graph, edges: { ...graph.edges, "lora.rank": "x.out" } }));
    const wired = ["lora", "text_lora"].map((id) => shapeOf(graphNow(), [], id, realSpecs()));
    expect(commonSettings(wired).map((one) => one.setting.name)).not.toContain("rank");
  });
});

describe("a wire", () => {
  it("says its ends, moves in a list and goes", async () => {
    const user = userEvent.setup();
    open(realGraph("train/lora_text_encoder"));
    useSession.getState().setSelection([], ["save.adapter.0"]);
    await inspect();
    expect(screen.getByRole("button", { name: "done.out" })).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Later" }));
    expect(graphNow().edges["save.adapter.1"]).toBe("done.out");
    expect([...useSession.getState().selectedEdges]).toEqual(["save.adapter.1"]);
    await user.click(screen.getByRole("button", { name: "Remove the wire" }));
    expect(graphNow().edges["save.adapter.0"]).toBe("text_done.out");
    expect(graphNow().edges["save.adapter.1"]).toBeUndefined();
  });
});

describe("the graph", () => {
  it("has its interface renamed and shortened", async () => {
    const user = userEvent.setup();
    await inspect();
    const field = screen.getByRole("textbox", { name: "Name of lr" });
    write(field, "learning_rate");
    expect(graphNow().interface.inputs?.learning_rate).toEqual(["adamw.lr"]);
    await user.click(screen.getByRole("button", { name: "Take “steps” out of the interface" }));
    expect(graphNow().interface.inputs?.steps).toBeUndefined();
  });

  it("keeps seed and precision of a run, the usual ones unwritten", async () => {
    const user = userEvent.setup();
    await inspect();
    await user.click(screen.getByRole("radio", { name: "bf16" }));
    expect(graphNow().run).toEqual({ precision: "bf16" });
    await user.click(screen.getByRole("radio", { name: "fp32" }));
    expect(graphNow().run).toBeUndefined();
  });
});

describe("the form", () => {
  it("has a field for every setting of the interface, from left to right, and no others", () => {
    const fields = formFields(graphNow(), realSpecs());
    expect(new Set(fields.map(({ name }) => name))).toEqual(new Set(Object.keys(graphNow().interface.inputs ?? {})));
    const x = fields.map(({ node }) => graphNow().view.nodes?.[node]?.[0] ?? 0);
    expect(x).toEqual([...x].sort((a, b) => a - b));
  });

  it("sets everything that a name stands for", async () => {
    useTabs.getState().open({ ...NOTHING, graph: realGraph("data/masked") }, "template");
    render(<FormView />);
    const form = screen.getByRole("heading", { level: 1 }).closest("div") as HTMLElement;
    const box = within(form).getByRole("spinbutton", { name: "Batch size" });
    write(box, "7");
    expect(["loader", "buckets"].map((id) => graphNow().nodes[id]?.settings?.batch_size)).toEqual([7, 7]);
    expect(screen.queryByRole("button", { name: /in the interface/ })).toBeNull();
  });

  it("of a graph without an interface says how to get one", () => {
    open(complete({ nodes: {} }));
    render(<FormView />);
    expect(screen.getByText("This graph has no form")).toBeTruthy();
  });

  it("follows the training, not what runs inside of it", () => {
    const running = (value?: number, total?: number): NodeRun => ({ state: "running", value, total });
    const nodes = {
      watch: running(),
      train: running(3, 10),
      "watch/sample": running(5, 25),
      lora: { state: "done" },
    } as const;
    const found = workingNode(graphNow(), nodes, realSpecs());
    expect(found).toMatchObject({ flat: "train", trains: true });
    expect(workingNode(graphNow(), { "watch/sample": running(5, 25) }, realSpecs())).toMatchObject({
      flat: "watch/sample",
      trains: false,
    });
    expect(workingNode(graphNow(), { lora: { state: "done" } }, realSpecs())).toBeNull();
  });
});
