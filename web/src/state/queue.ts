import { create } from "zustand";
import { api } from "../api/client";
import type { Job } from "../api/schema";

interface QueueStore {
  /** What is queued or runs, and the part of the history that was asked for; `queueOf` and `historyOf` order them. */
  jobs: readonly Job[];
  /** Whether the server told its queue at least once. */
  known: boolean;
  /** Whether there may be older runs than these. */
  more: boolean;
  /** Read older runs of the history. Throws ApiFailure. */
  loadMore(): Promise<void>;
}

const PAGE = 50;

export const useQueue = create<QueueStore>()((set, get) => ({
  jobs: [],
  known: false,
  more: true,
  loadMore: async () => {
    const oldest = historyOf(get().jobs).at(-1);
    const page = await api.jobs({ limit: PAGE, ...(oldest && { before: oldest.created }) });
    set(({ jobs }) => ({ jobs: page.reduce(withJob, jobs), more: page.length >= PAGE }));
  },
}));

export function isOpen(job: Pick<Job, "status">): boolean {
  return job.status === "queued" || job.status === "running";
}

export function withJob(jobs: readonly Job[], job: Job): readonly Job[] {
  const at = jobs.findIndex((one) => one.id === job.id);
  return at < 0 ? [...jobs, job] : jobs.with(at, job);
}

const STAGE: Record<Job["status"], number> = { queued: 0, running: 1, done: 2, failed: 2, cancelled: 2 };

/** The jobs with one out of a reply: it may come after the message that the job has begun, and is the older word then. */
export function withReply(jobs: readonly Job[], job: Job): readonly Job[] {
  const known = jobs.find((one) => one.id === job.id);
  return known && STAGE[job.status] < STAGE[known.status] ? jobs : withJob(jobs, job);
}

/**
 * The queue as the server tells it: everything that is queued or runs, and the last runs that ended. What we have
 * besides is older history; `lost` are jobs that were open here and of which the message says nothing.
 */
export function withQueue(jobs: readonly Job[], told: readonly Job[]): { jobs: readonly Job[]; lost: string[] } {
  const known = new Set(told.map((job) => job.id));
  const ended = told.filter((job) => !isOpen(job));
  const oldest = Math.min(...ended.map((job) => job.created));
  const others = jobs.filter((job) => !known.has(job.id));
  return {
    // Newer than the oldest that was told, and not told: deleted.
    jobs: [...told, ...others.filter((job) => !isOpen(job) && ended.length > 0 && job.created < oldest)],
    lost: others.filter(isOpen).map((job) => job.id),
  };
}

/** Running first, then in the order in which they will run. */
export function queueOf(jobs: readonly Job[]): Job[] {
  const queued = jobs.filter((job) => job.status === "queued").sort((a, b) => a.position - b.position);
  return [...jobs.filter((job) => job.status === "running"), ...queued];
}

/** Newest first. */
export function historyOf(jobs: readonly Job[]): Job[] {
  return jobs.filter((job) => !isOpen(job)).sort((a, b) => b.created - a.created);
}

/** Which queued job a moved one must stand before to come to a place in the list of queued ones; null: last. */
export function placeBefore(queued: readonly string[], id: string, to: number): string | null {
  const others = queued.filter((one) => one !== id);
  return others[Math.max(0, to)] ?? null;
}

/** The job that runs, if there is one. */
export function useRunningJob(): Job | undefined {
  return useQueue(({ jobs }) => jobs.find((job) => job.status === "running"));
}

export function useJob(id: string | null): Job | undefined {
  return useQueue(({ jobs }) => jobs.find((job) => job.id === id));
}

export function putJob(job: Job): void {
  useQueue.setState(({ jobs }) => ({ jobs: withJob(jobs, job) }));
}

export function putReply(job: Job): void {
  useQueue.setState(({ jobs }) => ({ jobs: withReply(jobs, job) }));
}

export function dropJob(id: string): void {
  useQueue.setState(({ jobs }) => ({ jobs: jobs.filter((job) => job.id !== id) }));
}

/** Take in a queue message; jobs that it does not explain are asked for one by one. */
export async function takeQueue(told: readonly Job[]): Promise<void> {
  const { jobs, lost } = withQueue(useQueue.getState().jobs, told);
  useQueue.setState({ jobs, known: true });
  await Promise.all(lost.map(readJob));
}

/** Bring in one job that the list does not have; one that is gone stays away. */
async function readJob(id: string): Promise<void> {
  try {
    putReply((await api.snapshot(id)).job);
  } catch {
    dropJob(id);
  }
}
