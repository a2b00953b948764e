import type { Job, NodeRun, Problem } from "../api/schema";

export type ProblemSource = "errors" | "run" | "warnings" | "packs";

export interface ProblemGroup {
  source: ProblemSource;
  problems: Problem[];
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
  const failed = Object.entries(nodes).flatMap(([id, { problem }]) => {
    // An instance of a subgraph shows the problem of a node inside: that one is listed.
    if (!problem || (problem.node !== undefined && problem.node !== id)) return [];
    return [{ ...problem, node: id }];
  });
  const told = new Set(failed.map((one) => `${one.code} ${one.message}`));
  const reason = job?.reason && !told.has(`${job.reason.code} ${job.reason.message}`) ? [job.reason] : [];
  const groups: ProblemGroup[] = [
    { source: "errors", problems: check.filter((one) => one.severity === "error") },
    { source: "run", problems: [...reason, ...failed] },
    { source: "warnings", problems: check.filter((one) => one.severity === "warning") },
    { source: "packs", problems: [...packs] },
  ];
  return groups.filter((group) => group.problems.length > 0);
}

/** "node.port", "node" or nothing. */
export function placeOf(problem: Problem): string {
  return [problem.node, problem.port].filter((part) => part !== undefined && part !== "").join(".");
}

/** A problem as text, for a bug report. */
export function textOf(problem: Problem): string {
  const place = placeOf(problem);
  const lines = [`${problem.code}${place && ` ${place}`}: ${problem.message}`];
  if (problem.hint) lines.push(`  -> ${problem.hint}`);
  return lines.join("\n");
}
