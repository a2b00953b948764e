import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import "../i18n";
import { api } from "../api/client";
import { ApiFailure } from "../api/errors";
import type { DataReport as Made } from "../api/schema";
import { useSession } from "../state/session";
import { currentDoc } from "../state/tabs";
import { DataReport } from "./DataReport";
import { useDataReports } from "./dataReports";

vi.setConfig({ testTimeout: 30_000 });

const bucket = { crop_mean: 0.02, crop_max: 0.2, enlarged: 0, leftover: 1 };
const picture = "data:image/webp;base64,";
const made: Made = {
  ok: true,
  lang: "en",
  title: "Cats",
  problems: [],
  notes: [{ node: "folder", level: "info", message: "3 pictures; not used: 1 other files (1 .md)" }],
  loaders: [
    {
      node: "loader",
      type: "data.loader",
      buckets_node: "buckets",
      name: "cats",
      sources: [{ node: "folder", name: "cats", samples: 3 }],
      samples: 3,
      pictures: 3,
      captions: 3,
      empty: 0,
      distinct: 3,
      conditions: 0,
      masks: 0,
      transformed: 0,
      sizes: { smallest: [20, 30], median: [64, 64], largest: [300, 200] },
      crop: "random",
      fit: "cover",
      leftover: "pad_repeat",
      batch_size: 2,
      batches: 2,
      per_epoch: 4,
      buckets: [
        { width: 64, height: 64, count: 2, ids: ["a.png", "b.png"], ...bucket },
        { width: 80, height: 56, count: 1, ids: ["c.png"], ...bucket },
      ],
      training: [
        { node: "train", steps: 100, accumulate: 1, batches: 100, epochs: 50, samples: 200, seen: 66.7, never: 0 },
      ],
      texts: [{ node: "step/text", loop: "train", captions: [{ id: "a.png", step: 0, caption: "a", text: "sks a" }] }],
      warnings: [{ code: "W_TINY", message: "Enlarged: 1", node: "buckets", count: 1, ids: ["a.png"] }],
      sheet: [
        { id: "a.png", bucket: 0, caption: "sks a", picture, width: 64, height: 64 },
        { id: "c.png", bucket: 1, caption: "sks c", picture, width: 80, height: 56 },
      ],
    },
  ],
};

const loader = { type: "data.loader", version: 1 };

beforeEach(() => {
  useDataReports.setState({ known: {} });
  currentDoc().edit("a node", (graph) => ({ ...graph, nodes: { loader } }));
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

it("asks when it is opened, and a bucket shows its pictures", async () => {
  const ask = vi.spyOn(api, "dataReport").mockResolvedValue(made);
  const user = userEvent.setup();
  const { unmount } = render(<DataReport />);
  const loader = await screen.findByRole("article");
  expect(ask).toHaveBeenCalledTimes(1);
  expect(within(loader).getByText("sks a", { selector: "dd" })).toBeTruthy();
  expect(screen.getByText(/not used: 1 other files/), "what a source says of its files").toBeTruthy();
  expect(
    within(loader)
      .getAllByRole("img")
      .map((one) => one.getAttribute("alt")),
  ).toEqual(["a.png", "c.png"]);
  await user.click(within(loader).getByRole("button", { name: /80×56/ }));
  expect(
    within(loader)
      .getAllByRole("img")
      .map((one) => one.getAttribute("alt")),
  ).toEqual(["c.png"]);
  await user.click(within(loader).getByRole("button", { name: "train" }));
  expect(useSession.getState().focus?.node).toBe("train");
  unmount();
  render(<DataReport />);
  expect(ask, "the report is kept while the panel is closed").toHaveBeenCalledTimes(1);
});

it("says when the graph has changed since, and asks anew by its button", async () => {
  const ask = vi.spyOn(api, "dataReport").mockResolvedValue(made);
  const user = userEvent.setup();
  render(<DataReport />);
  await screen.findByText("The data has been read.");
  currentDoc().edit("graph.edit", (graph) => ({ ...graph, run: { ...graph.run, seed: 5 } }));
  await screen.findByText("The graph has changed since.");
  await user.click(screen.getByRole("button", { name: "Check the data" }));
  expect(ask).toHaveBeenCalledTimes(2);
  await screen.findByText("The data has been read.");
});

it("tells how far it is, ends when it is cancelled, and shows why there is none", async () => {
  const user = userEvent.setup();
  let ended = false;
  vi.spyOn(api, "dataReport").mockImplementation((_, tell, options) => {
    tell({ kind: "progress", node: "folder", value: 3, total: 9 });
    return new Promise((_, reject) => {
      options?.signal?.addEventListener("abort", () => {
        ended = true;
        reject(new DOMException("", "AbortError"));
      });
    });
  });
  render(<DataReport />);
  await screen.findByText("Reading the data: folder, 3 of 9");
  await user.click(screen.getByRole("button", { name: "Cancel" }));
  expect(ended).toBe(true);
  vi.spyOn(api, "dataReport").mockRejectedValue(
    new ApiFailure(503, [{ code: "E_BUSY", message: "two reports are being made", severity: "error" }]),
  );
  await user.click(screen.getByRole("button", { name: "Check the data" }));
  await screen.findByText("two reports are being made");
});

it("asks for nothing while the graph is empty, and says so without alarm", () => {
  const ask = vi.spyOn(api, "dataReport").mockResolvedValue(made);
  currentDoc().edit("nothing", (graph) => ({ ...graph, nodes: {} }));
  render(<DataReport />);
  expect(screen.getByText(/nothing is in the graph/)).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
  expect(ask).not.toHaveBeenCalled();
});
