import { getBezierPath, getSmoothStepPath, getStraightPath, type Position } from "@xyflow/react";
import type { Point } from "../graph/route";
import type { EdgeStyle } from "../state/preferences";

/** The mark of a port is drawn in the middle of its 24-pixel target; the wire goes there, not to its outer edge. */
const HALF = 12;

export interface Ends {
  sourceX: number;
  sourceY: number;
  sourcePosition: Position;
  targetX: number;
  targetY: number;
  targetPosition: Position;
}

/** Path of a wire and the middle of it. */
export function wirePath(style: EdgeStyle, ends: Ends): [path: string, x: number, y: number] {
  const [path, x, y] =
    style === "straight"
      ? getStraightPath(ends)
      : style === "smoothstep"
        ? getSmoothStepPath({ ...ends, borderRadius: 8, offset: 16 })
        : getBezierPath(ends);
  return [path, x, y];
}

/** Ends as React Flow gives them (at the outer edge of the targets), moved to the marks. */
export function atMarks(ends: Ends): Ends {
  return { ...ends, sourceX: ends.sourceX - HALF, targetX: ends.targetX + HALF };
}

/** The same the other way round, of a way along corners. */
export function betweenTargets(corners: readonly Point[]): Point[] {
  return corners.map(([x, y], i) => (i === 0 ? [x + HALF, y] : i === corners.length - 1 ? [x - HALF, y] : [x, y]));
}

const ROUNDING: Record<EdgeStyle, number> = { bezier: 14, smoothstep: 8, straight: 0 };

/** A way along corners, and the point in its middle. */
export function cornerPath(style: EdgeStyle, corners: readonly Point[]): [path: string, x: number, y: number] {
  let path = "";
  for (const [i, [x, y]] of corners.entries()) {
    const [before, after] = [corners[i - 1], corners[i + 1]];
    if (!before || !after) {
      path += `${path === "" ? "M" : "L"}${x},${y}`;
      continue;
    }
    const most = Math.min(distance(before, [x, y]), distance([x, y], after)) / 2;
    const radius = Math.min(ROUNDING[style], most);
    const [from, to] = [towards([x, y], before, radius), towards([x, y], after, radius)];
    path += `L${from[0]},${from[1]}Q${x},${y} ${to[0]},${to[1]}`;
  }
  return [path, ...halfway(corners)];
}

function distance([x, y]: Point, [u, v]: Point): number {
  return Math.hypot(u - x, v - y);
}

function towards([x, y]: Point, to: Point, by: number): Point {
  const share = by / (distance([x, y], to) || 1);
  return [x + (to[0] - x) * share, y + (to[1] - y) * share];
}

function halfway(corners: readonly Point[]): Point {
  const lengths = corners.map((corner, i) => distance(corner, corners[i + 1] ?? corner));
  let left = lengths.reduce((sum, one) => sum + one, 0) / 2;
  for (const [i, length] of lengths.entries()) {
    const [corner, next] = [corners[i], corners[i + 1]];
    if (corner && next && left <= length) return towards(corner, next, left);
    left -= length;
  }
  return corners[0] ?? [0, 0];
}
