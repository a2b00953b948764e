import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import "../i18n";
import { api } from "../api/client";
import type { Job, JobStatus } from "../api/schema";
import { realSpecs } from "../graph/fixtures/specs";
import { useCheck } from "../state/check";
import { useQueue } from "../state/queue";
import { useRuns } from "../state/run";
import { EMPTY_RUN } from "../state/runs/model";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { ComparePictures } from "./ComparePictures";
import { useChartView } from "./chartView";
import "./Chart"; // what the dock fetches when it is first shown is there already
import { Dock } from "./Dock";
import "./Runs";

// Queries by role compute the style of every element: slow on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

function job(id: string, status: JobStatus, more: Partial<Job> = {}): Job {
  return {
    id,
    status,
    title: `Run ${id}`,
    graph_hash: "",
    targets: ["save"],
    position: 0,
    created: 1,
    started: null,
    ended: null,
    reason: null,
    artifacts: 0,
    picture: null,
    ...more,
  };
}
const tab = (name: RegExp) => screen.getByRole("tab", { name });

beforeEach(() => {
  useSession.setState({ dock: { open: true, tab: "problems" } });
  useCheck.setState({ check: null, pending: false, failed: null });
  useQueue.setState({ jobs: [], more: false });
  useRuns.setState({ active: null, runs: {}, compare: [], series: {}, artifacts: [], log: [], tab: "t", shown: {} });
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

it("lists problems with an explanation, and a click jumps to the port", async () => {
  const focusNode = vi.fn();
  useSession.setState({ focusNode });
  useSpecs.setState({ index: realSpecs() });
  const problem = {
    code: "E_PORT_MISSING",
    message: "needs 'noise'",
    node: "a/add",
    port: "noise",
    severity: "error" as const,
  };
  useCheck.setState({ check: { ok: false, hash: null, problems: [problem], ports: {}, once: [], facts: {} } });
  render(<Dock />);
  expect(tab(/Problems 1/)).toBeDefined();
  const row = await screen.findByRole("button", { name: /a\/add\.noise/ });
  expect(row.textContent).toContain("Nothing is connected to a required input.");
  expect(row.textContent).toContain("needs 'noise'");
  await userEvent.click(row);
  expect(focusNode).toHaveBeenCalledWith("a/add", "noise");
});

it("counts open runs, moves a queued one and cancels", async () => {
  useSession.setState({ dock: { open: true, tab: "runs" } });
  const queue = [job("a", "running"), job("b", "queued", { position: 1 }), job("c", "queued", { position: 2 })];
  useQueue.setState({
    jobs: [...queue, job("z", "failed", { reason: { code: "E_KILLED", message: "out of memory", severity: "error" } })],
  });
  const move = vi.spyOn(api, "moveJob").mockResolvedValue([]);
  const cancel = vi.spyOn(api, "cancel").mockResolvedValue(job("a", "cancelled"));
  render(<Dock />);
  expect(tab(/Runs 3/)).toBeDefined();
  expect(await screen.findByText("out of memory")).toBeDefined();
  expect(screen.getByLabelText<HTMLButtonElement>("Run “Run b” earlier").disabled).toBe(true);
  await userEvent.click(screen.getByLabelText("Run “Run c” earlier"));
  expect(move).toHaveBeenCalledWith("c", "b");
  await userEvent.click(screen.getByLabelText("Cancel “Run a”"));
  expect(cancel).toHaveBeenCalledWith("a");
  const history = screen.getByRole("region", { name: "History" });
  expect(within(history).getByText("Cancelled")).toBeDefined();
});

it("puts what was interrupted back into the queue by one click, and offers it for nothing else", async () => {
  useSession.setState({ dock: { open: true, tab: "runs" } });
  const reason = { code: "E_INTERRUPTED", message: "the server ended while this ran", severity: "error" as const };
  useQueue.setState({ jobs: [job("y", "failed", { reason }), job("z", "failed"), job("x", "done")] });
  const graph = { format: "hcpgraph/1" as const, nodes: {}, edges: {} };
  const opened = { graph } as unknown as Awaited<ReturnType<typeof api.jobGraph>>;
  vi.spyOn(api, "jobGraph").mockResolvedValue(opened);
  const run = vi.spyOn(api, "run").mockResolvedValue(job("new", "queued", { position: 1 }));
  render(<Dock />);
  await screen.findByText("the server ended while this ran");
  const offered = screen.getAllByLabelText(/back into the queue/);
  expect(offered.map((button) => button.getAttribute("aria-label"))).toEqual([
    "Put “Run y” back into the queue: it goes on from what is kept",
  ]);
  await userEvent.click(offered[0] as HTMLElement);
  await vi.waitFor(() => expect(run).toHaveBeenCalledWith(expect.objectContaining({ graph, targets: ["save"] })));
});

it("tells the curves in words and as a table, and hides a series", async () => {
  const loss = { steps: [1, 2, 3], values: [0.5, 0.25, 0.125] };
  useSession.setState({ dock: { open: true, tab: "loss" } });
  useQueue.setState({ jobs: [job("a", "done")] });
  useRuns.setState({
    active: "a",
    series: { train: { loss } },
    runs: { a: { ...EMPTY_RUN, curves: { train: { loss } } } },
  });
  useChartView.setState({ table: true, hidden: new Set() });
  render(<Dock />);
  expect(await screen.findByText(/train\.loss: 0\.125 at step 3; lowest 0\.125 at step 3\./)).toBeDefined();
  const table = screen.getByRole("table");
  expect(
    within(table)
      .getAllByRole("row")
      .map((row) => row.textContent),
  ).toEqual(["Steptrain.loss", "30.125", "20.25", "10.5"]);
  expect(screen.getByRole("link", { name: "Export as CSV" }).getAttribute("href")).toBe("/api/jobs/a/series.csv");
  const series = screen.getByRole("button", { name: /train\.loss/ });
  await userEvent.click(series);
  expect(series.getAttribute("aria-pressed")).toBe("false");
});

it("compares two pictures with a native slider", async () => {
  const pictures = [
    { uri: "out:a.png", t: 1 },
    { uri: "out:b.png", t: 2 },
  ] as const;
  render(<ComparePictures pictures={pictures} onClose={() => {}} />);
  const slider = screen.getByRole<HTMLInputElement>("slider", { name: "Where the first picture ends" });
  expect(slider.type).toBe("range");
  expect(screen.getByAltText("b.png").style.clipPath).toBe("inset(0 0 0 50%)");
  await userEvent.click(screen.getByRole("radio", { name: "Side by side" }));
  expect(screen.queryByRole("slider")).toBeNull();
  expect(screen.getAllByRole("figure")).toHaveLength(2);
});
