import type { Job, NodeRun, Problem } from "../api/schema";

export type ProblemSource = "errors" | "run" | "warnings" | "packs";

/** A problem, and where in the code it came up if it came up there. */
export interface Fault extends Problem {
  traceback?: string;
}

export interface ProblemGroup {
  source: ProblemSource;
  problems: Fault[];
}

export interface ProblemInputs {
  /** Of the graph in front. */
  check: readonly Problem[];
  /** The run that the panels show. */
  job: Job | undefined;
  nodes: Readonly<Record<string, NodeRun>>;
  /** Node packs that could not be read. */
  packs: readonly Problem[];
}

/** Everything that is wrong, what stops a run first; empty groups are left out. */
export function groupProblems({ check, job, nodes, packs }: ProblemInputs): ProblemGroup[] {
  const failed = Object.entries(nodes).flatMap(([id, { problem, traceback }]): Fault[] => {
    if (!problem) return [];
    // What fails in a step fails its region, and every instance around it: it is listed once, at the node that failed.
    const place = problem.node ?? id;
    const listed = place !== id && nodes[place]?.problem !== undefined;
    return listed ? [] : [{ ...problem, node: place, traceback }];
  });
  const once = failed.filter((one, at) => failed.findIndex((other) => sameFault(one, other)) === at);
  const told = new Set(once.map((one) => `${one.code} ${one.message}`));
  const reason = job?.reason && !told.has(`${job.reason.code} ${job.reason.message}`) ? [job.reason] : [];
  const groups: ProblemGroup[] = [
    { source: "errors", problems: check.filter((one) => one.severity === "error") },
    { source: "run", problems: [...reason, ...once] },
    { source: "warnings", problems: check.filter((one) => one.severity === "warning") },
    { source: "packs", problems: [...packs] },
  ];
  return groups.filter((group) => group.problems.length > 0);
}

function sameFault(a: Problem, b: Problem): boolean {
  return a.code === b.code && a.message === b.message && placeOf(a) === placeOf(b);
}

/** "node.port", "node" or nothing. */
export function placeOf(problem: Problem): string {
  return [problem.node, problem.port].filter((part) => part !== undefined && part !== "").join(".");
}

/** A problem as text, for a bug report. */
export function textOf(problem: Fault): string {
  const place = placeOf(problem);
  const lines = [`${problem.code}${place && ` ${place}`}: ${problem.message}`];
  if (problem.hint) lines.push(`  -> ${problem.hint}`);
  if (problem.traceback) lines.push(problem.traceback.trimEnd());
  return lines.join("\n");
}
