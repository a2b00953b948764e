import { useEffect, useState } from "react";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { GraphFile, LayersReply } from "../api/schema";

export interface LayerCount {
  /** What all selectors match together. */
  all: LayersReply | null;
  /** What each matches alone, by its text; only asked where there are several. */
  each: ReadonlyMap<string, LayersReply>;
  /** The reply belongs to other selectors than those that are written now. */
  pending: boolean;
}

const DELAY = 500;
/** Above this many selectors only their sum is counted. */
const EACH = 12;
const NONE: LayerCount = { all: null, each: new Map(), pending: false };

function failed(error: unknown): LayersReply {
  return { total: 0, matched: 0, names: [], near: [], groups: {}, problems: problemsOf(error) };
}

/** How many layers selectors match in the model of a node, asked of the worker half a second after the last change. */
export function useLayerCount(
  graph: GraphFile | null,
  node: string | null,
  setting: string,
  patterns: readonly string[],
): LayerCount {
  const [count, setCount] = useState<LayerCount>(NONE);
  // what feeds the node's model decides the answer, where boxes stand does not
  const nodes = graph?.nodes;
  const edges = graph?.edges;
  const key = patterns.join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` is what `patterns` says, `nodes` and `edges` what counts of `graph`
  useEffect(() => {
    if (!graph || node === null || patterns.length === 0) {
      setCount(NONE);
      return;
    }
    const cancel = new AbortController();
    setCount((last) => ({ ...last, pending: true }));
    const ask = (some: readonly string[]) =>
      api.layers(graph, node, setting, [...some], { signal: cancel.signal }).catch((error: unknown) => {
        if (cancel.signal.aborted) throw error;
        return failed(error);
      });
    const timer = setTimeout(async () => {
      const single = patterns.length > 1 && patterns.length <= EACH ? [...new Set(patterns)] : [];
      try {
        const [all, ...each] = await Promise.all([ask(patterns), ...single.map((one) => ask([one]))]);
        const found = new Map(single.map((one, index) => [one, each[index] as LayersReply]));
        setCount({ all, each: found, pending: false });
      } catch {
        // aborted: a later question is under way
      }
    }, DELAY);
    return () => {
      clearTimeout(timer);
      cancel.abort();
    };
  }, [nodes, edges, node, setting, key]);
  return count;
}
