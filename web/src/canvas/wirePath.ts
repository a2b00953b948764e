import { getBezierPath, getSmoothStepPath, getStraightPath, type Position } from "@xyflow/react";
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
