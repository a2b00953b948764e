import { useMemo } from "react";
import type { Problem } from "../api/schema";
import { useCheck } from "../state/check";
import { useJob } from "../state/queue";
import { useRuns } from "../state/run";
import { useSpecs } from "../state/specs";
import { groupProblems, type ProblemGroup } from "./problemGroups";

const NONE: readonly Problem[] = [];
const NO_NODES = {};

/** What is wrong with the graph in front and with the shown run. */
export function useProblems(): ProblemGroup[] {
  const check = useCheck((state) => state.check?.problems ?? NONE);
  const active = useRuns((state) => state.active);
  const nodes = useRuns((state) => (active === null ? undefined : state.runs[active]?.nodes));
  const job = useJob(active);
  const packs = useSpecs((state) => state.problems);
  return useMemo(() => groupProblems({ check, job, nodes: nodes ?? NO_NODES, packs }), [check, job, nodes, packs]);
}
