import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Problem } from "../api/schema";
import type { BodyPath } from "../graph/body";
import { setSetting } from "../graph/edit/settings";
import { realGraph, realSpecs } from "../graph/fixtures/specs";
import { shapeOf } from "../graph/ports";
import { useCheck } from "../state/check";
import { createDocument } from "../state/document";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, newTab, useGraph, useTabs } from "../state/tabs";
import { NOTHING, serve, write } from "./fixtures/setup";
import { rollSeeds } from "./rollSeeds";
import { SettingField } from "./SettingField";
import { nextSeed, SEED_COUNT, seedAddress, useSeeds } from "./seeds";

beforeEach(() => {
  serve({});
  useSpecs.setState({ index: realSpecs() });
  useTabs.getState().open({ ...NOTHING, graph: realGraph("train/lora") }, "template");
});
afterEach(() => {
  vi.unstubAllGlobals();
  useCheck.setState({ check: null });
  useSeeds.setState({ policies: {} });
});

function Shown({ path = [], node, name }: { path?: BodyPath; node: string; name: string }) {
  const graph = useGraph();
  const setting = shapeOf(graph, path, node, realSpecs()).settings.find((one) => one.name === name);
  return setting ? <SettingField path={path} node={node} setting={setting} /> : null;
}

const settings = (node: string) => currentDoc().getState().graph.nodes[node]?.settings ?? {};

describe("SettingField", () => {
  it("writes to the document, one undo step a gesture", async () => {
    const user = userEvent.setup();
    render(<Shown node="adamw" name="weight_decay" />);
    const box = screen.getByRole("spinbutton", { name: "Weight decay" });
    await user.click(box);
    await user.keyboard("{ArrowUp}{ArrowUp}");
    await user.tab();
    expect(settings("adamw").weight_decay).toBe(0.21);
    act(() => currentDoc().undo());
    expect(settings("adamw").weight_decay).toBe(0.01);
    expect((box as HTMLInputElement).value).toBe("0.01");
    expect(currentDoc().canUndo).toBe(false);
  });

  it("sets everything that one name of the interface stands for", async () => {
    useTabs.getState().open({ ...NOTHING, graph: realGraph("data/masked") }, "template");
    render(<Shown node="loader" name="batch_size" />);
    const box = screen.getByRole("spinbutton", { name: "Batch size" });
    write(box, "5");
    expect([settings("loader").batch_size, settings("buckets").batch_size]).toEqual([5, 5]);
  });

  it("shows what the check says about it, and nothing that concerns others", () => {
    const about = (node: string, port: string, message: string): Problem => ({
      code: "E_SETTING",
      severity: "error",
      node,
      port,
      message,
      hint: "raise it",
    });
    const problems = [about("lora", "rank", "rank is too small"), about("lora", "alpha", "another")];
    useCheck.setState({ check: { ok: false, hash: null, problems, ports: {}, once: [], facts: {} } });
    render(<Shown node="lora" name="rank" />);
    const box = screen.getByRole("spinbutton", { name: "Rank" });
    expect(box.getAttribute("aria-invalid")).toBe("true");
    const told = (box.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id));
    expect(told.some((element) => element?.textContent?.includes("rank is too small raise it"))).toBe(true);
    expect(screen.queryByText(/another/)).toBeNull();
  });

  it("shows at the field of an instance what the check says about the node inside that gets its value", () => {
    act(() => void currentDoc().edit("test", (graph) => setSetting(graph, [], "watch", "steps", 0)));
    const { graph } = currentDoc().getState();
    const message = "steps is too small";
    const problems: Problem[] = [
      { code: "E_SETTING", severity: "error", node: "watch/sample", port: "steps", message },
    ];
    useCheck.setState({ graph, check: { ok: false, hash: null, problems, ports: {}, once: [], facts: {} } });
    render(<Shown node="watch" name="steps" />);
    expect(screen.getByRole("spinbutton", { name: "Steps" }).getAttribute("aria-invalid")).toBe("true");
    expect(screen.getByText(message)).toBeTruthy();
  });

  it("says which wire brings the value, does not let it be edited, and leads there", async () => {
    const user = userEvent.setup();
    act(() => {
      currentDoc().edit("test", (graph) => ({ ...graph, edges: { ...graph.edges, "lora.rank": "ranks.out" } }));
    });
    render(<Shown node="lora" name="rank" />);
    expect((screen.getByRole("spinbutton") as HTMLInputElement).disabled).toBe(true);
    await user.click(screen.getByRole("button", { name: "from ranks.out: go there" }));
    expect(useSession.getState().focus).toMatchObject({ node: "ranks", port: "out" });
  });

  it("is promoted and taken back by its pin, and reset to its default", async () => {
    const user = userEvent.setup();
    render(<Shown node="loader" name="flip" />);
    await user.click(screen.getByRole("button", { name: /Show “Flip”/ }));
    expect(currentDoc().getState().graph.interface.inputs?.flip).toEqual(["loader.flip"]);
    await user.click(screen.getByRole("button", { name: /Take “flip” out/ }));
    expect(currentDoc().getState().graph.interface.inputs?.flip).toBeUndefined();
    expect(screen.queryByRole("button", { name: /Reset/ })).toBeNull();
    write(screen.getByRole("spinbutton"), "0.5");
    await user.click(screen.getByRole("button", { name: "Reset “Flip”" }));
    expect((screen.getByRole("spinbutton") as HTMLInputElement).value).toBe("0");
  });

  it("inside a subgraph, a promoted setting is that of the instance", async () => {
    render(<Shown path={["watch"]} node="sample" name="steps" />);
    const box = screen.getByRole("spinbutton", { name: "Steps" });
    write(box, "9");
    expect(settings("watch").steps).toBe(9);
    expect(currentDoc().getState().graph.graphs.draw?.nodes.sample?.settings?.steps).toBe("auto");
  });

  it("cannot be edited in a document that is read only", () => {
    const graph = realGraph("train/lora");
    const tab = newTab(createDocument({ graph, readOnly: true }));
    useTabs.getState().restore([tab], tab.id);
    render(<Shown node="lora" name="rank" />);
    expect((screen.getByRole("spinbutton") as HTMLInputElement).disabled).toBe(true);
    expect(screen.queryByRole("button", { name: /Show “Rank”/ })).toBeNull();
  });
});

describe("seeds", () => {
  it("roll when asked", async () => {
    const user = userEvent.setup();
    render(<Shown node="train" name="seed" />);
    await user.click(screen.getByRole("button", { name: "New seed now" }));
    const { seed } = settings("train");
    expect(seed).not.toBe(42);
    expect(Number.isInteger(seed) && Number(seed) >= 0 && Number(seed) < SEED_COUNT).toBe(true);
  });

  it("before a run: kept unless asked otherwise, also inside of an instance, in one step of undo", () => {
    rollSeeds();
    expect(settings("train").seed).toBe(42);
    const tab = useTabs.getState().active;
    useSeeds.getState().setPolicy(tab, seedAddress([], "train", "seed"), "increment");
    useSeeds.getState().setPolicy(tab, seedAddress(["watch"], "sample", "seed"), "increment");
    useSeeds.getState().setPolicy(tab, seedAddress([], "gone", "seed"), "new");
    rollSeeds();
    expect([settings("train").seed, settings("watch").seed]).toEqual([43, 2]);
    currentDoc().undo();
    expect([settings("train").seed, settings("watch").seed]).toEqual([42, 1]);
  });

  it("come round at their end", () => {
    expect(nextSeed(SEED_COUNT - 1, "increment")).toBe(0);
    expect(nextSeed(7, "keep")).toBe(7);
  });
});
