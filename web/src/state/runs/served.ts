import type { NodeRun } from "../../api/schema";
import { withInstances } from "./instances";
import type { Curves, RunModel } from "./model";

/**
 * What a run took from the cache was made by earlier runs: their curves, pictures and log belong to the result. The
 * record of a cached node names the run that made it.
 */

type Models = Readonly<Record<string, RunModel>>;

/** Runs of one page are read for so many others at most. */
const MOST_MAKERS = 8;

/** The runs that made what this one took from the cache. */
export function makersOf(model: RunModel | undefined): string[] {
  if (!model) return [];
  let found = makers.get(model.nodes);
  if (!found) {
    const runs = Object.values(model.nodes).flatMap(({ made_by }) => made_by?.run ?? []);
    found = [...new Set(runs)].slice(0, MOST_MAKERS);
    makers.set(model.nodes, found);
  }
  return found;
}
const makers = new WeakMap<RunModel["nodes"], string[]>();

interface View {
  from: readonly RunModel[];
  view: RunModel;
}
const views = new WeakMap<RunModel, View>();

/** A run together with those that made what it took from the cache, as far as they are read. */
export function viewOf(id: string, models: Models, above: readonly string[] = []): RunModel | undefined {
  const model = models[id];
  if (!model) return undefined;
  const inside = [...above, id];
  const known = makersOf(model).filter((maker) => maker in models && !inside.includes(maker));
  if (known.length === 0) return model;
  const from = known.flatMap((maker) => viewOf(maker, models, inside) ?? []);
  const last = views.get(model);
  if (last && last.from.length === from.length && from.every((one, at) => one === last.from[at])) return last.view;
  const view = known.reduce((now, maker, at) => (from[at] ? over(now, maker, from[at]) : now), model);
  views.set(model, { from, view });
  return view;
}

/** A run over the one that made part of its results: what the run itself says of a node counts. */
function over(model: RunModel, maker: string, made: RunModel): RunModel {
  const taken = Object.entries(model.nodes).filter(([, run]) => run.made_by?.run === maker);
  // In another graph the nodes have other names: only the curve of the result itself can be shown here.
  const same = taken.some(([node, run]) => run.made_by?.node === node);
  if (!same) {
    const curves: Record<string, Curves[string]> = { ...model.curves };
    for (const [node, { made_by }] of taken) {
      const curve = made.curves[made_by?.node ?? ""];
      if (curve && !curves[node]) curves[node] = curve;
    }
    return { ...model, curves };
  }
  const nodes: Record<string, NodeRun> = {};
  for (const [node, run] of Object.entries(made.nodes)) {
    if (run.state === "done" || run.state === "cached") nodes[node] = asCached(run);
  }
  return {
    ...model,
    nodes: withInstances({}, { ...nodes, ...model.nodes }, Object.keys(nodes)),
    curves: { ...made.curves, ...model.curves },
    artifacts: [...made.artifacts, ...model.artifacts],
    log: [...made.log, ...model.log],
    pictures: { ...made.pictures, ...model.pictures },
  };
}

function asCached({ seconds: _, made_by: __, ...run }: NodeRun): NodeRun {
  return { ...run, state: "cached" };
}
