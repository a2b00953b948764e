import { api, type JobRequest, type RunRequest } from "../../api/client";
import { ApiFailure } from "../../api/errors";
import type { GraphFile, Job } from "../../api/schema";
import i18n from "../../i18n";
import { commitFields, titleOf } from "../../shell/documents";
import { attempt, report } from "../../shell/report";
import { announce } from "../../ui";
import { rollSeeds } from "../../widgets/rollSeeds";
import { useCheck } from "../check";
import type { DocStore } from "../document";
import { isOpen, putReply, useQueue } from "../queue";
import { useSession } from "../session";
import { useSpecs } from "../specs";
import { currentDoc, useTabs } from "../tabs";
import { useRuns } from "./store";

export interface StartOptions {
  /** Nodes or "node.port" to run to; without them: everything that writes. */
  targets?: string[];
  /** Before the others in the queue. */
  front?: boolean;
  /** Training loops that train again although their result is kept; "*": all. */
  force?: string[];
}

/** Documents from elsewhere whose wishes were looked at and allowed. */
const allowed = new WeakSet<DocStore>();

/** Queue the document in front. Reports what goes wrong; null: nothing was queued. */
export async function startRun(options: StartOptions = {}): Promise<Job | null> {
  commitFields();
  const doc = currentDoc();
  if (!doc) return null;
  try {
    const allow_write = await mayRun(doc);
    if (!allow_write) return null;
    rollSeeds();
    const { graph } = doc.getState();
    const job = await submit({ graph, ...options, allow_write, title: titleOf(doc.getState()) });
    if (job) started(job, true);
    return job;
  } catch (error) {
    report(error);
    // What is wrong with the graph itself is listed, with a way to each node.
    if (error instanceof ApiFailure && error.status === 422) useSession.getState().showDock("problems");
    return null;
  }
}

/** A graph from elsewhere first shows what it wants to read, write and load. Gives where it may write; null: no. */
async function mayRun(doc: DocStore): Promise<string[] | null> {
  const { graph, origin } = doc.getState();
  if (origin !== "import" || allowed.has(doc)) return [];
  const answer = await ask(graph, "run");
  if (answer) allowed.add(doc);
  return answer;
}

/**
 * Queue a graph. One that writes where it may not yet asks the person, for this run alone, and so does one whose
 * training was begun with other code. Null: nothing was queued.
 */
async function submit(request: JobRequest): Promise<Job | null> {
  try {
    return await api.run(request);
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    const { code, problems } = error;
    if (problems.some((problem) => problem.code !== code)) throw error;
    if (code === "E_WRITE") {
      const allow_write = await ask(request.graph, "write");
      return allow_write && submit({ ...request, allow_write });
    }
    if (code !== "E_BEGUN") throw error;
    const answer = await useSession.getState().openDialog("begun", { problems });
    const force = problems.flatMap(({ node }) => node ?? []);
    return answer && submit({ ...request, ...(answer === "resume" ? { resume: true } : { force }) });
  }
}

async function ask(graph: GraphFile, purpose: "run" | "write"): Promise<string[] | null> {
  const capabilities = await api.capabilities(graph);
  const answer = await useSession.getState().openDialog("import", { graph, capabilities, purpose });
  return answer !== null && typeof answer === "object" ? answer.allowWrite : null;
}

/** Run the graph of an earlier run again, as it was. It shows on the canvas only if that showed the earlier one. */
export async function runAgain(earlier: Job, force?: string[]): Promise<void> {
  const { graph } = await api.jobGraph(earlier.id);
  const job = await submit({ graph, targets: earlier.targets, title: earlier.title, ...(force && { force }) });
  if (!job) return;
  const { active, shown, tab } = useRuns.getState();
  started(job, tab !== null && active === earlier.id && shown[tab] === earlier.id);
}

/** Runs that were started here -> the document that they are of, also when that is edited since. */
const ran = new Map<string, string>();

function started(job: Job, canvas: boolean): void {
  putReply(job);
  const { active } = useTabs.getState();
  if (canvas) ran.set(job.id, active);
  useRuns.getState().follow(job.id, canvas);
  announce(i18n.t("dock.said.queued", { title: job.title }));
}

/**
 * Show a run in the panels, and on the canvas if the graph there is the one that ran: equal ids in another graph would
 * show states that mean nothing there.
 */
export function showRun(job: Job): void {
  const hash = useCheck.getState().check?.hash;
  const own = ran.get(job.id) === useTabs.getState().active;
  useRuns.getState().follow(job.id, own || (job.graph_hash !== "" && job.graph_hash === hash));
}

/** A run that was started here and only took results from the cache says so, and how to train again. */
export function tellServed(): () => void {
  const told = new Set<string>();
  return useRuns.subscribe(({ active, runs }) => {
    const model = active === null ? undefined : runs[active];
    if (active === null || !model?.ended || !ran.has(active) || told.has(active)) return;
    told.add(active);
    const states = Object.values(model.nodes).map((node) => node.state);
    if (states.length === 0 || states.some((state) => state !== "cached")) return;
    const { graph } = currentDoc().getState();
    const again = trains(graph) && useTabs.getState().active === ran.get(active);
    useSession.getState().toast("info", i18n.t("dock.served"), {
      body: i18n.t("dock.served.body"),
      ...(again && { action: { label: i18n.t("shell.run.again"), run: () => void startRun({ force: ["*"] }) } }),
    });
  });
}

/** Whether a graph has a training loop, whose checkpoints and results are kept. */
export function trains(graph: GraphFile): boolean {
  const specs = useSpecs.getState().index?.byId;
  return [graph, ...Object.values(graph.graphs)].some((body) =>
    Object.values(body.nodes).some(({ type }) => (specs?.get(type)?.resumes.length ?? 0) > 0),
  );
}

/** The job that the commands for a running one mean: the shown one if it is still open, else what runs. */
export function openJob(): Job | null {
  const { jobs } = useQueue.getState();
  const { active } = useRuns.getState();
  const shown = jobs.find((job) => job.id === active && isOpen(job));
  return shown ?? jobs.find((job) => job.status === "running") ?? null;
}

export async function cancelRun(id?: string): Promise<void> {
  const job = id ?? openJob()?.id;
  if (job === undefined) return;
  await attempt(async () => putReply(await api.cancel(job)));
}

/** Ask the running training for pictures, a checkpoint, or its end after this step. */
export async function requestRun(what: RunRequest, id?: string): Promise<void> {
  const job = id ?? openJob()?.id;
  if (job === undefined) return;
  await attempt(async () => {
    await api.request(job, what);
    useSession.getState().toast("info", i18n.t(`dock.said.${what}`));
  });
}
