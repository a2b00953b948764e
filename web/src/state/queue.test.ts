import { expect, it } from "vitest";
import type { Job, JobStatus } from "../api/schema";
import { historyOf, placeBefore, queueOf, withJob, withQueue, withReply } from "./queue";

function job(id: string, status: JobStatus, created: number, position = 0): Job {
  return {
    id,
    status,
    title: id,
    graph_hash: "",
    targets: [],
    position,
    created,
    started: null,
    ended: null,
    reason: null,
    artifacts: 0,
    picture: null,
  };
}
const ids = (jobs: readonly Job[]) => jobs.map((one) => one.id);

it("shows what runs first, then the queue in its order, and the history newest first", () => {
  const jobs = [
    job("late", "queued", 1, 3),
    job("old", "done", 2),
    job("now", "running", 3),
    job("next", "queued", 4, 1),
    job("new", "failed", 5),
  ];
  expect(ids(queueOf(jobs))).toEqual(["now", "next", "late"]);
  expect(ids(historyOf(jobs))).toEqual(["new", "old"]);
});

it("replaces a job in its place", () => {
  const jobs = [job("a", "running", 1), job("b", "queued", 2)];
  expect(withJob(jobs, job("a", "done", 1)).map((one) => one.status)).toEqual(["done", "queued"]);
  expect(ids(withJob(jobs, job("c", "queued", 3)))).toEqual(["a", "b", "c"]);
});

it("leaves a job as it is when an older word of it comes late", () => {
  const jobs = [job("a", "running", 1), job("b", "cancelled", 2)];
  expect(withReply(jobs, job("a", "queued", 1))).toBe(jobs);
  expect(withReply(jobs, job("b", "running", 2))).toBe(jobs);
  expect(withReply(jobs, { ...job("a", "running", 1), picture: "out:a.png" })[0]?.picture).toBe("out:a.png");
});

it("keeps older history beside a queue message, and drops what was deleted elsewhere", () => {
  const before = [
    job("ancient", "done", 1),
    job("deleted", "done", 15),
    job("kept", "done", 20),
    job("gone", "queued", 30),
  ];
  const { jobs, lost } = withQueue(before, [
    job("kept", "done", 20),
    job("first", "done", 10),
    job("x", "running", 40),
  ]);
  expect(ids(jobs).sort()).toEqual(["ancient", "first", "kept", "x"]);
  expect(lost).toEqual(["gone"]);
});

it("knows that an empty history has nothing older", () => {
  expect(withQueue([job("a", "done", 1)], []).jobs).toEqual([]);
});

it("says before which job a moved one must stand", () => {
  const queue = ["a", "b", "c", "d"];
  expect(placeBefore(queue, "c", 0)).toBe("a");
  expect(placeBefore(queue, "a", 1)).toBe("c");
  expect(placeBefore(queue, "a", 3)).toBeNull();
  expect(placeBefore(queue, "d", 2)).toBe("c");
});
