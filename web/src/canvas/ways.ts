import { useEffect } from "react";
import type { Point } from "../graph/route";
import { useCanvas } from "./store";
import { type Drawn, drawn, found, keyOf, search, useWays } from "./wayState";

const QUIET = 80;
let timer = 0;

/** The corners of a wire's way as it is drawn now, or null for the direct wire. Its ends are told on the way. */
export function useWay(id: string, wire: Drawn): readonly Point[] | null {
  const { ends, style, from, source, to } = wire;
  const key = keyOf(ends);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the ends
  useEffect(() => {
    drawn.set(id, { ends, style, from, source, to });
    findWays();
    return () => {
      drawn.delete(id);
    };
  }, [id, key, style, from, source, to]);
  return useWays(({ ways }) => {
    const way = ways.get(id);
    return way?.ends === key && way.style === style ? way.corners : null;
  });
}

/** Look for ways soon, when for a moment nothing has changed. */
export function findWays(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void import("./routes").then(({ find }) => find()), QUIET);
}

/** Another body is drawn. */
export function forgetWays(): void {
  window.clearTimeout(timer);
  search.round += 1;
  drawn.clear();
  found.clear();
  search.boxes = new Map();
  useWays.setState({ ways: new Map() });
}

useCanvas.subscribe((now, before) => {
  if (now.settled !== before.settled) findWays();
});
