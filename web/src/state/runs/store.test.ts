import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api } from "../../api/client";
import { ApiFailure } from "../../api/errors";
import type { Job, JobStatus, NodeRun, PictureFrame, RunEvent, Series, Snapshot } from "../../api/schema";
import { remembered } from "./remember";
import { flush, retryLoads, runEnded, setLink, takeEvents, takePicture, useRuns } from "./store";

const said: string[] = [];
const revoked: string[] = [];

function snapshot(status: JobStatus, seq = 0): Snapshot {
  return { job: { status } as Job, seq, nodes: {}, artifacts: [], log: [], pictures: {} };
}
const progress = (seq: number, node: string, value: number): RunEvent => ({
  run: "a",
  seq,
  t: 0,
  kind: "progress",
  node,
  value,
  total: 9,
});
const frame = (node: string): PictureFrame => ({
  type: "picture",
  job: "a",
  node,
  port: "out",
  step: null,
  format: "image/webp",
  width: 1,
  height: 1,
  data: new Uint8Array([1]),
});
const settled = () => vi.waitFor(() => expect(Object.keys(useRuns.getState().runs).length).toBeGreaterThan(0));

beforeEach(() => {
  said.length = 0;
  revoked.length = 0;
  let made = 0;
  vi.spyOn(URL, "createObjectURL").mockImplementation(() => `blob:${++made}`);
  vi.spyOn(URL, "revokeObjectURL").mockImplementation((url) => void revoked.push(url));
  vi.spyOn(api, "snapshot").mockImplementation((id) =>
    Promise.resolve(snapshot(id === "over" ? "done" : "running", 4)),
  );
  vi.spyOn(api, "series").mockResolvedValue({ seq: 2, series: {} });
  setLink({ follow: (job, since) => said.push(`+${job}@${since}`), unfollow: (job) => said.push(`-${job}`) });
  useRuns.setState({ active: null, shown: {}, tab: null, compare: [], runs: {}, failures: {}, pictures: {} });
  useRuns.getState().enterTab("tab");
});
afterEach(() => {
  useRuns.getState().follow(null);
  vi.restoreAllMocks();
});

it("reads a run, then follows it from the older of its two parts; one that is over is not followed", async () => {
  useRuns.getState().follow("a");
  await settled();
  expect(said).toEqual(["+a@2"]);
  useRuns.getState().setCompare(["over"]);
  await vi.waitFor(() => expect(useRuns.getState().runs.over).toBeDefined());
  useRuns.getState().follow("b");
  await vi.waitFor(() => expect(useRuns.getState().runs.b).toBeDefined());
  expect(said).toEqual(["+a@2", "-a", "+b@2"]);
  expect(useRuns.getState().runs.a).toBeUndefined();
});

it("applies everything that came since the last frame at once, and tells nobody about a node that did not change", async () => {
  useRuns.getState().follow("a");
  await settled();
  takeEvents("a", [progress(5, "x", 1), progress(6, "y", 1)]);
  flush();
  const { x } = useRuns.getState().nodes;
  const changes = vi.fn();
  const stop = useRuns.subscribe(changes);
  takeEvents("a", [progress(7, "y", 2)]);
  takeEvents("a", [progress(8, "y", 3)]);
  expect(changes).not.toHaveBeenCalled();
  flush();
  stop();
  expect(useRuns.getState().nodes.y).toMatchObject({ state: "running", value: 3 });
  expect(useRuns.getState().nodes.x).toBe(x);
});

it("shows states on the canvas of the tab that the run belongs to, and its panels in every tab", async () => {
  useRuns.getState().follow("a");
  await settled();
  takeEvents("a", [
    progress(5, "x", 1),
    { run: "a", seq: 6, t: 0, kind: "log", node: "x", message: "hello", level: "info" },
  ]);
  flush();
  useRuns.getState().enterTab("other");
  expect(useRuns.getState().nodes).toEqual({});
  expect(useRuns.getState().log).toHaveLength(1);
  useRuns.getState().enterTab("tab");
  expect(useRuns.getState().nodes.x).toMatchObject({ value: 1 });
});

it("frees the picture that a newer one replaces, and all of them when another run is shown", async () => {
  useRuns.getState().follow("a");
  await settled();
  takePicture(frame("x"));
  takePicture(frame("y"));
  flush();
  takePicture(frame("x"));
  takePicture(frame("x"));
  flush();
  expect(useRuns.getState().pictures).toEqual({ x: "blob:3", y: "blob:2" });
  expect(revoked).toEqual(["blob:1"]);
  useRuns.getState().follow("b");
  expect(useRuns.getState().pictures).toEqual({});
  expect(revoked.sort()).toEqual(["blob:1", "blob:2", "blob:3"]);
});

it("stops the nodes of a run whose worker died without a word", async () => {
  useRuns.getState().follow("a");
  await settled();
  takeEvents("a", [progress(5, "x", 1)]);
  runEnded("a");
  expect(useRuns.getState().nodes.x?.state).toBe("waiting");
});

it("reads a run again once the connection is back", async () => {
  vi.spyOn(api, "snapshot").mockRejectedValueOnce(new ApiFailure(0, []));
  useRuns.getState().follow("a");
  await vi.waitFor(() => expect(useRuns.getState().failures.a).toBeDefined());
  retryLoads();
  await settled();
  expect(useRuns.getState().failures).toEqual({});
});

it("remembers over a reload which run each document showed, beside what other windows remember", () => {
  localStorage.setItem("hcpgraph.runs", JSON.stringify({ other: "o" }));
  useRuns.getState().follow("a");
  useRuns.getState().enterTab("second");
  useRuns.getState().follow("b");
  expect(sessionStorage.getItem("hcpgraph.run")).toBe("b");
  expect(remembered()).toEqual({ active: "b", shown: { other: "o", tab: "a", second: "b" } });
});

it("shows states and pictures on the graph that ran alone, and has them back when that comes to the front", async () => {
  const kept = { ...snapshot("done", 4), nodes: { x: { state: "done" as const } }, pictures: { x: "7" } };
  vi.spyOn(api, "snapshot").mockResolvedValue({ ...kept, job: { id: "over", status: "done" } as Job });
  const { follow, enterTab } = useRuns.getState();
  follow("over");
  await settled();
  const own = { here: true, nodes: { x: { state: "done" } }, pictures: { x: "/api/jobs/over/picture?node=x&v=7" } };
  expect(useRuns.getState()).toMatchObject(own);
  enterTab("of another graph with a node x");
  expect(useRuns.getState()).toMatchObject({ active: "over", here: false, nodes: {}, pictures: {} });
  enterTab("tab");
  expect(useRuns.getState()).toMatchObject(own);
});

it("reads the run that made what came from the cache, and shows both as one", async () => {
  const train: NodeRun = { state: "done", seconds: 3, key: "t" };
  const save: NodeRun = { state: "cached", key: "s", made_by: { run: "maker", node: "save" } };
  vi.spyOn(api, "snapshot").mockImplementation(async (id) => {
    const nodes: Record<string, NodeRun> = id === "maker" ? { train } : id === "served" ? { save } : {};
    return { ...snapshot("done", 9), nodes };
  });
  vi.spyOn(api, "series").mockImplementation(async (id) => {
    const curves: Series["series"] = id === "maker" ? { train: { loss: [[1, 0.5]] } } : {};
    return { seq: 9, series: curves };
  });
  useRuns.getState().follow("served");
  await vi.waitFor(() => expect(useRuns.getState().series.train?.loss?.values).toEqual([0.5]));
  expect(useRuns.getState().nodes).toEqual({ train: { state: "cached", key: "t" }, save });
  useRuns.getState().follow("b");
  await vi.waitFor(() => expect(Object.keys(useRuns.getState().runs)).toEqual(["b"]));
});
