import type { GraphFile } from "../../api/schema";
import { sameJson } from "../normal";

/** Title, description, authors, licence; what is empty is left out. */
export function setMeta(graph: GraphFile, patch: Partial<GraphFile["meta"]>): GraphFile {
  const meta = Object.fromEntries(
    Object.entries({ ...graph.meta, ...patch }).filter(([, value]) => value !== undefined && value.length > 0),
  );
  return sameJson(meta, graph.meta) ? graph : { ...graph, meta };
}

/** Seed and precision of a run; the usual ones (0, fp32) are left out of the file. */
export function setRun(graph: GraphFile, patch: NonNullable<GraphFile["run"]>): GraphFile {
  const { seed, precision } = { ...graph.run, ...patch };
  const run: NonNullable<GraphFile["run"]> = {};
  if (seed !== undefined && seed !== 0) run.seed = seed;
  if (precision !== undefined && precision !== "fp32") run.precision = precision;
  if (sameJson(run, graph.run ?? {})) return graph;
  if (Object.keys(run).length > 0) return { ...graph, run };
  const { run: _, ...rest } = graph;
  return rest;
}
