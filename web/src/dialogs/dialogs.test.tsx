import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Capabilities, DataReport, Problem } from "../api/schema";
import { realGraph, realSpecs } from "../graph/fixtures/specs";
import { registerCommands } from "../state/commands";
import { useSession } from "../state/session";
import { serve } from "../widgets/fixtures/setup";
import { Dialogs } from "./Dialogs";
import { nameFault, tidyName } from "./graphName";
import { shapeFrom, USUAL } from "./modelShape";
import { counted, findModel, prepared, reading, slugOf, trainable } from "./training";
import { isRefused, rootsToAllow, trustCommand, wishesOf } from "./wishes";

afterEach(() => {
  vi.unstubAllGlobals();
  useSession.setState({ dialog: null });
});

const NONE: Capabilities = {
  reads: [],
  writes: [],
  objects: [],
  unknown: [],
  packs: [],
  types_missing: [],
  files: [],
  hub: [],
};

describe("confirm", () => {
  it("answers yes by its button and null by Escape", async () => {
    const user = userEvent.setup();
    render(<Dialogs />);
    const ask = () =>
      useSession.getState().openDialog("confirm", { title: "Close?", text: "Lost.", confirm: "Close it" });
    const yes = ask();
    await screen.findByText("Lost.");
    await user.click(screen.getByRole("button", { name: "Close it" }));
    expect(await yes).toBe(true);
    const no = ask();
    await screen.findByText("Lost.");
    await user.keyboard("{Escape}");
    expect(await no).toBeNull();
  });
});

describe("collapse", () => {
  it("lists the usual settings, the others when asked, and answers with those that were chosen", async () => {
    const user = userEvent.setup();
    render(<Dialogs />);
    const one = (name: string, usual: boolean) => ({
      address: `n.${name}`,
      node: "Denoise",
      label: name,
      value: 2,
      usual,
    });
    const ask = () =>
      useSession.getState().openDialog("collapse", { settings: [one("Steps", true), one("Eta", false)] });
    const answer = ask();
    await user.click(await screen.findByRole("checkbox", { name: "Steps 2" }));
    expect(screen.queryByRole("checkbox", { name: "Eta 2" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Show 1 more setting" }));
    await user.click(screen.getByRole("checkbox", { name: "Eta 2" }));
    await user.click(screen.getByRole("checkbox", { name: "Steps 2" }));
    await user.click(screen.getByRole("button", { name: "Make the subgraph" }));
    expect(await answer).toEqual({ promote: ["n.Eta"] });
    const none = ask();
    await user.click(await screen.findByRole("button", { name: "Cancel" }));
    expect(await none).toBeNull();
  });
});

describe("save as", () => {
  const graphs = [{ name: "cats", title: "Cats", modified: 1, size: 1 }];

  it("gives a free name without an etag", async () => {
    serve({ "/api/graphs": graphs });
    render(<Dialogs />);
    const answer = useSession.getState().openDialog("saveAs", { name: "draft" });
    const field = await screen.findByRole("textbox", { name: "Name" });
    fireEvent.change(field, { target: { value: " animals / dogs.json" } });
    fireEvent.submit(field);
    expect(await answer).toEqual({ name: "animals/dogs", etag: null });
  });

  it("replaces a taken one only by a button that says so, with the etag of what is there", async () => {
    serve({ "/api/graphs": graphs, "/api/graphs/cats": { etag: "abc" } });
    const user = userEvent.setup();
    render(<Dialogs />);
    const answer = useSession.getState().openDialog("saveAs", { name: "cats" });
    await user.click(await screen.findByRole("button", { name: "Replace" }));
    expect(await answer).toEqual({ name: "cats", etag: "abc" });
  });

  it("refuses names that are none", async () => {
    serve({ "/api/graphs": [] });
    render(<Dialogs />);
    void useSession.getState().openDialog("saveAs", { name: "a" });
    const field = await screen.findByRole("textbox", { name: "Name" });
    fireEvent.change(field, { target: { value: "../secret" } });
    expect((screen.getByRole("button", { name: "Save" }) as HTMLButtonElement).disabled).toBe(true);
    expect(screen.getByRole("alert").textContent).toContain("dot");
  });

  it.each([
    ["", "empty"],
    ["a:b", "signs"],
    ["..", "dots"],
    ["a/.hidden", "dots"],
    ["x".repeat(201), "long"],
    ["a\u0000b", "signs"],
    ["猫 LoRA", null],
    ["folder/name", null],
  ])("%j: %s", (name, fault) => expect(nameFault(name)).toBe(fault));

  it("tidies", () => expect(tidyName(" /a//b .JSON ")).toBe("a/b"));
});

describe("import", () => {
  const wanted: Capabilities = {
    ...NONE,
    reads: [{ uri: "models:sd15", node: "model", exists: false }],
    writes: [{ uri: "out:lora/preview.png", node: "log", problem: null }],
    objects: [
      { path: "torch.optim:AdamW", node: "opt", trusted: true },
      { path: "evil.pkg:Thing", node: "bad", trusted: false },
    ],
    packs: [{ name: "other_pack", requires: ">=2", installed: null, ok: false }],
    types_missing: [{ type: "other.node", nodes: ["a", "b"] }],
  };

  it("says everything that it would touch, and the command that trusts", async () => {
    const user = userEvent.setup();
    render(<Dialogs />);
    const answer = useSession.getState().openDialog("import", {
      graph: realGraph("train/lora"),
      capabilities: wanted,
      purpose: "open",
    });
    for (const text of ["models:sd15", "out:lora/preview.png", "evil.pkg:Thing", "other_pack", "other.node"]) {
      expect((await screen.findAllByText(text)).length).toBeGreaterThan(0);
    }
    expect(screen.getByText("hcpgraph trust add evil.pkg:Thing")).toBeTruthy();
    expect(screen.queryByText("hcpgraph trust add torch.optim:AdamW")).toBeNull();
    await user.click(screen.getByRole("button", { name: "Open read-only" }));
    expect(await answer).toBe("readOnly");
  });

  it("before a run there is Run, and no read-only", async () => {
    const user = userEvent.setup();
    render(<Dialogs />);
    const graph = realGraph("train/lora");
    const answer = useSession.getState().openDialog("import", { graph, capabilities: NONE, purpose: "run" });
    await screen.findByText(/reads and writes no files/);
    expect(screen.queryByRole("button", { name: "Open read-only" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Run" }));
    expect(await answer).toEqual({ allowWrite: [] });
  });

  it("runs what writes elsewhere only once that is allowed", async () => {
    const user = userEvent.setup();
    render(<Dialogs />);
    const graph = realGraph("train/lora");
    const problem = { code: "E_WRITE", message: "this run may not write to 'data:'", severity: "error" } as const;
    const capabilities: Capabilities = {
      ...NONE,
      writes: [{ uri: "data:cats/1.png", node: "save", problem }],
      unknown: [{ node: "late", setting: "path", kind: "write", source: "text.out" }],
    };
    const answer = useSession.getState().openDialog("import", { graph, capabilities, purpose: "write" });
    await screen.findByText("not allowed to write there");
    await screen.findByText("late.path");
    const run = screen.getByRole("button", { name: "Run" }) as HTMLButtonElement;
    expect(run.disabled).toBe(true);
    await user.click(screen.getByRole("switch", { name: "Let this run write to data:" }));
    expect(screen.queryByText("not allowed to write there")).toBeNull();
    await user.click(run);
    expect(await answer).toEqual({ allowWrite: ["data"] });
  });

  it("never offers to write to what ships, nor out of a root", () => {
    const at = (uri: string, code: string) => ({
      uri,
      node: "a",
      problem: { code, message: "", severity: "error" } as const,
    });
    const builtin = at("builtin:a", "E_WRITE");
    const outside = at("data:../a", "E_PATH");
    expect(rootsToAllow({ ...NONE, writes: [builtin, outside] })).toEqual([]);
    expect(isRefused(outside, ["data"])).toBe(true);
    expect(isRefused(at("data:a", "E_WRITE"), ["data"])).toBe(false);
  });

  it("counts what is missing", () => {
    expect(wishesOf(wanted)).toEqual({ missingReads: 1, untrusted: ["evil.pkg:Thing"], missing: 2, none: false });
    expect(wishesOf(NONE).none).toBe(true);
  });

  it("cannot smuggle a second command past the shell", () => {
    expect(trustCommand("a.b:C")).toBe("hcpgraph trust add a.b:C");
    expect(trustCommand("a:b; rm -rf ~")).toBe("hcpgraph trust add 'a:b; rm -rf ~'");
    expect(trustCommand("a'$(x)")).toBe("hcpgraph trust add 'a'\\''$(x)'");
  });
});

describe("conflict", () => {
  it("offers theirs, mine and another name", async () => {
    const user = userEvent.setup();
    render(<Dialogs />);
    const answer = useSession.getState().openDialog("conflict", { name: "cats" });
    await user.click(await screen.findByRole("button", { name: /Keep mine/ }));
    expect(await answer).toBe("mine");
  });
});

describe("begun", () => {
  it("says what differs and asks whether to go on", async () => {
    const user = userEvent.setup();
    render(<Dialogs />);
    const problem: Problem = {
      code: "E_BEGUN",
      message: "3 of 5 steps: torch 1.0 (now 2.0)",
      node: "train",
      severity: "error",
    };
    const answer = useSession.getState().openDialog("begun", { problems: [problem] });
    await screen.findByText(/torch 1.0 \(now 2.0\)/);
    await user.click(await screen.findByRole("button", { name: /Go on from the checkpoints/ }));
    expect(await answer).toBe("resume");
  });
});

describe("shortcuts", () => {
  it("lists commands that have keys, and finds them by either", async () => {
    const command = { group: "run", run: () => {} } as const;
    const stop = registerCommands([
      { ...command, id: "a", titleKey: "shell.run", keys: ["Ctrl+Enter"] },
      { ...command, id: "b", titleKey: "shell.run.sample" },
      { ...command, id: "c", titleKey: "shell.run.stop", keys: ["Ctrl+."] },
    ]);
    render(<Dialogs />);
    void useSession.getState().openDialog("shortcuts", {});
    await screen.findByText("Stop after this step");
    expect(screen.queryByText("Sample now")).toBeNull();
    fireEvent.change(screen.getByRole("textbox"), { target: { value: "ctrl+enter" } });
    await waitFor(() => expect(screen.queryByText("Stop after this step")).toBeNull());
    stop();
  });
});

describe("train on my pictures", () => {
  const file = (path: string) => {
    const one = new File(["x"], path.split("/").at(-1) ?? path);
    Object.defineProperty(one, "webkitRelativePath", { value: path });
    return one;
  };

  it("takes pictures and captions of every kind, and nothing else of a folder", () => {
    const files = ["a/1.png", "a/1.caption", "a/2.JPG", "a/b/1.webp", "a/notes.pdf", "a/captions.jsonl"].map(file);
    expect(trainable(files).map((one) => one.name)).toEqual([
      "1.png",
      "1.caption",
      "2.JPG",
      "1.webp",
      "captions.jsonl",
    ]);
    expect(trainable(["a/notes.pdf", "a/1.txt"].map(file))).toEqual([]);
  });

  it("asks the part of the template that reads pictures how many there are, and how many have a caption", () => {
    const graph = reading(realGraph("train/lora"), "data:cats");
    expect(Object.keys(graph.nodes).sort()).toEqual(["buckets", "loader", "pictures"]);
    expect(graph.nodes.pictures?.settings).toMatchObject({ path: "data:cats", on_missing: "empty", trigger: "" });
    expect(graph.edges).toEqual({ "buckets.dataset": "pictures.out", "loader.data": "buckets.out" });
    const report = {
      ok: true,
      lang: "en",
      title: null,
      problems: [],
      notes: [],
      loaders: [{ pictures: 8, captions: 8 }],
    };
    expect(counted(report as unknown as DataReport)).toEqual({ pictures: 8, captioned: 8, problem: null });
  });

  it("sets what the template's interface names, and writes to a folder of its own", () => {
    const wanted = {
      pictures: "data:uploads/x-cats",
      model: "models:mine",
      shape: USUAL,
      trigger: "my cat",
      effort: "quick",
    } as const;
    const graph = prepared(realGraph("train/lora"), wanted, realSpecs());
    const at = (node: string) => graph.nodes[node]?.settings ?? {};
    expect(at("pictures")).toMatchObject({ path: "data:uploads/x-cats", trigger: "my cat" });
    expect(at("model").path).toBe("models:mine");
    expect([at("train").steps, at("schedule").total_steps]).toEqual([400, "auto"]);
    expect(at("prompts").texts).toEqual(["a photo of my cat", "a painting of my cat"]);
    expect([at("save").path, at("log").path]).toEqual(["out:my-cat/lora.safetensors", "out:my-cat/preview.png"]);
    expect(graph.meta.title).toBe("LoRA: my cat");
  });

  it("trains and draws in the size of a smaller model", () => {
    const shape = shapeFrom(
      { sample_size: 8, block_out_channels: [96, 128, 160] },
      { sample_size: 64, block_out_channels: [16, 32, 64, 96] },
    );
    expect(shape).toEqual({ size: 64, multiple: 32 });
    const wanted = { pictures: "data:p", model: "builtin:emoji", shape, trigger: "", effort: "quick" } as const;
    const { nodes } = prepared(realGraph("train/lora"), wanted, realSpecs());
    expect(nodes.buckets?.settings).toMatchObject({ target_area: 4096, step_size: 32 });
    expect(nodes.watch?.settings).toMatchObject({ width: 64, height: 64 });
    expect(nodes.plot?.settings).toMatchObject({ width: 800, height: 450 });
  });

  it("takes a model that says nothing of its size for a usual one", () => {
    const sd15 = [
      { sample_size: 64, block_out_channels: [320, 640, 1280, 1280] },
      { block_out_channels: [1, 2, 3, 4] },
    ];
    expect(shapeFrom(sd15[0], sd15[1])).toEqual(USUAL);
    expect(shapeFrom({}, null)).toEqual(USUAL);
    expect(shapeFrom({ sample_size: 1e9, block_out_channels: [1] }, { block_out_channels: [1] })).toEqual(USUAL);
  });

  it("without a trigger word the template's own prompts and folder stay", () => {
    const wanted = { pictures: "data:p", model: "models:m", shape: USUAL, trigger: "", effort: "normal" } as const;
    const graph = prepared(realGraph("train/lora"), wanted, realSpecs());
    expect(graph.nodes.prompts?.settings?.texts).toEqual(["a photo", "a painting"]);
    expect(graph.nodes.save?.settings?.path).toBe("out:lora/lora.safetensors");
  });

  it("starts from the template's model, else from one that is there", () => {
    const folder = (name: string) => ({ name, uri: `models:${name}`, kind: "folder", size: 0, modified: 0 }) as const;
    expect(findModel("models:sd15", [folder("a"), folder("sd15")])).toBe("models:sd15");
    expect(findModel("models:sd15", [folder("uploads"), folder("a")])).toBe("models:a");
    expect(findModel("models:sd15", [folder("uploads")])).toBeNull();
    const file = (name: string) => ({ ...folder(name), kind: "weights" }) as const;
    expect(findModel("models:sd15", [file("a.txt"), file("b.gguf"), file("c.safetensors")])).toBe("models:b.gguf");
  });

  it("makes folder names that every system takes", () => {
    expect(slugOf("  My Cat / 2! ")).toBe("My-Cat-2");
    expect(slugOf("我的猫")).toBe("我的猫");
    expect(slugOf("../..")).toBe("lora");
  });
});
