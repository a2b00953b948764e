import { create } from "zustand";
import { api } from "../api/client";
import { ApiFailure } from "../api/errors";
import type { Check, GraphFile, PlanReply, Problem } from "../api/schema";
import { remembered } from "../graph/memo";
import { sameMeaning } from "../graph/normal";
import { type Place, typedAt } from "../graph/typed";
import type { DocStore } from "./document";
import { currentDoc, useTabs } from "./tabs";

const CHECK_DELAY = 150;
const PLAN_DELAY = 600;

interface CheckStore {
  /** The last answer for the active document; types and problems of a moment ago stay until the next is there. */
  check: Check | null;
  /** The graph that `check` is about. */
  graph: GraphFile | null;
  /** An answer to the last edit is awaited. */
  pending: boolean;
  /** What a run would do now; null while that is not known. */
  plan: PlanReply | null;
  planPending: boolean;
  /** The server could not be asked. */
  failed: ApiFailure | null;
}

export const useCheck = create<CheckStore>()(() => ({
  check: null,
  graph: null,
  pending: false,
  plan: null,
  planPending: false,
  failed: null,
}));

/** Answers by graph, so that a change of tab or an undo shows at once what is known. */
interface Answers {
  check?: Check;
  plan?: PlanReply;
}
let known = new WeakMap<GraphFile, Answers>();
let asked: GraphFile | null = null;
let running: AbortController | null = null;
let timers: ReturnType<typeof setTimeout>[] = [];

function answersFor(graph: GraphFile): Answers {
  return remembered(known, graph, () => ({}));
}

/** Keep asking the server about the active document. Returns the way to stop. */
export function startChecking(): () => void {
  let doc: DocStore | null = null;
  let leave = (): void => {};
  const follow = (): void => {
    const next = currentDoc();
    if (next === doc) return;
    leave();
    doc = next;
    leave = doc.subscribe(look);
    // What was said about another document says nothing about this one.
    useCheck.setState(useCheck.getInitialState());
    look();
  };
  const stop = useTabs.subscribe(follow);
  follow();
  return () => {
    stop();
    leave();
    cancel();
    asked = null;
  };
}

/** Ask again although nothing was edited: files or packs changed, a run has ended. */
export function recheck(): void {
  known = new WeakMap();
  asked = null;
  look();
}

/** The document changed, or another one is shown. What only moves boxes asks nothing. */
function look(): void {
  const { graph } = currentDoc().getState();
  if (graph === asked) return;
  if (asked && sameMeaning(asked, graph)) {
    known.set(graph, answersFor(asked)); // shared: an answer that is under way is one for both
    asked = graph;
    return;
  }
  cancel();
  asked = graph;
  const { check, plan } = answersFor(graph);
  if (check) useCheck.setState({ check, graph, pending: false, failed: null });
  else {
    useCheck.setState({ pending: true });
    later(CHECK_DELAY, (signal) => askCheck(graph, signal));
  }
  if (plan) useCheck.setState({ plan, planPending: false });
  else {
    useCheck.setState({ plan: null, planPending: true });
    later(PLAN_DELAY, (signal) => askPlan(graph, signal));
  }
}

function later(delay: number, ask: (signal: AbortSignal) => Promise<void>): void {
  running ??= new AbortController();
  const { signal } = running;
  timers.push(setTimeout(() => void ask(signal), delay));
}

function cancel(): void {
  for (const timer of timers) clearTimeout(timer);
  timers = [];
  running?.abort();
  running = null;
}

async function askCheck(graph: GraphFile, signal: AbortSignal): Promise<void> {
  try {
    const check = await api.check(graph, { signal });
    if (signal.aborted) return;
    answersFor(graph).check = check;
    useCheck.setState({ check, graph, pending: false, failed: null });
  } catch (error) {
    if (signal.aborted) return;
    useCheck.setState({ pending: false, ...refused(error, graph) });
  }
}

/** A document that is malformed (422) has problems like any other; types that were known stay. */
function refused(error: unknown, graph: GraphFile): Partial<CheckStore> {
  if (!(error instanceof ApiFailure)) throw error;
  if (error.status !== 422) return { failed: error };
  const { check } = useCheck.getState();
  const { ports = {}, once = [], facts = {} } = check ?? {};
  return { check: { ok: false, hash: null, problems: error.problems, ports, once, facts }, graph, failed: null };
}

async function askPlan(graph: GraphFile, signal: AbortSignal): Promise<void> {
  try {
    const plan = await api.plan(graph, undefined, { signal });
    if (signal.aborted) return;
    answersFor(graph).plan = plan;
    useCheck.setState({ plan, planPending: false });
  } catch (error) {
    if (signal.aborted) return;
    // What keeps it from running is told by the check.
    useCheck.setState({ plan: null, planPending: false });
    if (!(error instanceof ApiFailure)) throw error;
  }
}

/** Problems of a node, those inside of an instance included, errors first. */
export function problemsOf(flat: string, check: Check | null = useCheck.getState().check): Problem[] {
  if (!check) return NONE;
  let byNode = sorted.get(check);
  if (!byNode) {
    byNode = new Map();
    for (const problem of check.problems) {
      if (problem.node === undefined || problem.node === null) continue;
      const parts = problem.node.split("/");
      for (let depth = 1; depth <= parts.length; depth += 1) {
        const id = parts.slice(0, depth).join("/");
        byNode.set(id, [...(byNode.get(id) ?? []), problem]);
      }
    }
    for (const list of byNode.values()) list.sort((a, b) => a.severity.localeCompare(b.severity));
    sorted.set(check, byNode);
  }
  return byNode.get(flat) ?? NONE;
}

const sorted = new WeakMap<Check, Map<string, Problem[]>>();
const NONE: Problem[] = [];

/** `problemsOf` as a hook: renders again only when the problems of this node change. */
export function useProblems(flat: string): Problem[] {
  return useCheck(({ check }) => problemsOf(flat, check));
}

const typed = new WeakMap<Problem, Place>();

/** Where what a problem is about was written; null for one that is about no node. */
export function placeOfProblem(problem: Problem): Place | null {
  const { graph } = useCheck.getState();
  const { node, port } = problem;
  if (node === undefined) return null;
  let found = typed.get(problem);
  if (!found) {
    found = graph ? typedAt(graph, { node, port }) : { node, port };
    if (graph) typed.set(problem, found);
  }
  return found;
}

/** Whether a problem stands at a field: that of its own setting, or that of the instance which gives it its value. */
export function isAtField(problem: Problem, flat: string, name: string): boolean {
  if (problem.node === flat && problem.port === name) return true;
  const place = placeOfProblem(problem);
  return place?.node === flat && place.port === name;
}

/** Problems with the value that is written in a field. */
export function useSettingProblems(flat: string, name: string): Problem[] {
  return useProblems(flat).filter((problem) => isAtField(problem, flat, name));
}
