import type { Point } from "../graph/route";
import type { EdgeStyle } from "../state/preferences";
import type { Ends } from "./wirePath";

const STUB = 16;
const SAMPLE = 8;

/** Points of the direct wire, close enough to each other to see what it crosses. */
export function directPoints(style: EdgeStyle, ends: Ends): Point[] {
  const { sourceX, sourceY, targetX, targetY } = ends;
  if (style === "straight") return sampled([sourceX, sourceY], [targetX, targetY]);
  if (style === "bezier") return onBezier(ends);
  const middle = (sourceX + targetX) / 2;
  const low = (sourceY + targetY) / 2;
  const turns: Point[] =
    targetX - sourceX >= 2 * STUB
      ? [
          [middle, sourceY],
          [middle, targetY],
        ]
      : [
          [sourceX + STUB, sourceY],
          [sourceX + STUB, low],
          [targetX - STUB, low],
          [targetX - STUB, targetY],
        ];
  const corners: Point[] = [[sourceX, sourceY], ...turns, [targetX, targetY]];
  return corners.flatMap((corner, i) => sampled(corner, corners[i + 1] ?? corner));
}

function sampled([x, y]: Point, [u, v]: Point): Point[] {
  const count = Math.max(1, Math.ceil(Math.hypot(u - x, v - y) / SAMPLE));
  return Array.from({ length: count + 1 }, (_, i) => [x + ((u - x) * i) / count, y + ((v - y) * i) / count]);
}

/** The curve of `getBezierPath` between an end on the right and one on the left. */
function onBezier({ sourceX, sourceY, targetX, targetY }: Ends): Point[] {
  const across = targetX - sourceX;
  const reach = across >= 0 ? across / 2 : 6.25 * Math.sqrt(-across);
  const count = Math.ceil((Math.abs(across) + Math.abs(targetY - sourceY) + 2 * reach) / SAMPLE) + 1;
  return Array.from({ length: count + 1 }, (_, i) => {
    const t = i / count;
    const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
    return [
      a * sourceX + b * (sourceX + reach) + c * (targetX - reach) + d * targetX,
      (a + b) * sourceY + (c + d) * targetY,
    ];
  });
}
