import type { Viewport } from "@xyflow/react";
import { bounds } from "../graph/geometry";
import type { Flow } from "./stage";
import { boxOf } from "./stage";

/** Below this zoom the text of a node is too small to be read at ease. */
const LEGIBLE = 0.8;
/** Free space around what is shown, in pixels: above a node stands the state of its run, below is the map's corner. */
const FREE = { top: 40, side: 28, bottom: 28 };

/**
 * Where a graph is looked at first: all of it where it can be read so, else its start, in full size. A graph begins at
 * the left, and there at the top.
 */
export function firstView(flow: Flow, width: number, height: number): Viewport | null {
  const boxes = flow.getNodes().flatMap(({ id }) => boxOf(id) ?? []);
  const all = bounds(boxes);
  if (!all) return null;
  const [across, down] = [width - 2 * FREE.side, height - FREE.top - FREE.bottom];
  const whole = Math.min(1, across / all.w, down / all.h);
  if (whole >= LEGIBLE) {
    return {
      zoom: whole,
      x: (width - all.w * whole) / 2 - all.x * whole,
      y: FREE.top + (down - all.h * whole) / 2 - all.y * whole,
    };
  }
  const start = bounds(boxes.filter((box) => box.x < all.x + across / 2)) ?? all;
  const y = start.h <= down ? FREE.top + (down - start.h) / 2 : FREE.top;
  return { zoom: 1, x: FREE.side - all.x, y: y - start.y };
}
