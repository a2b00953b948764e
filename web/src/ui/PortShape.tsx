import type { TypeInfo } from "../api/schema";

export interface PortShapeProps {
  shape?: TypeInfo["shape"];
  /** Colour of the type as the pack gives it. */
  color?: string;
  size?: number;
  /** Something is wired to it. */
  filled?: boolean;
  /** Takes many wires: drawn taller. */
  many?: boolean;
  className?: string;
}
const PATHS: Record<TypeInfo["shape"], string> = {
  circle: "M6 1.6a4.4 4.4 0 1 1 0 8.8a4.4 4.4 0 1 1 0-8.8z",
  square: "M2.4 2.4h7.2v7.2h-7.2z",
  diamond: "M6 .9 11.1 6 6 11.1.9 6z",
  triangle: "M2.4 1.4 10.8 6 2.4 10.6z",
};

const TALL = "translate(0 -3.6) scale(1 1.6)";

/** The colour of a type as it is drawn on this theme. */
export function typeColour(color: string | undefined): string {
  return `color-mix(in oklab, ${color ?? "#8a8f98"} var(--type-keep), var(--type-toward))`;
}

/** The mark of a type: a colour and a shape, so that the colour never stands alone. */
export function PortShape({ shape = "circle", color, size = 12, filled = true, many, className }: PortShapeProps) {
  const paint = typeColour(color);
  return (
    <svg width={size} height={size} viewBox="0 0 12 12" className={className} aria-hidden overflow="visible">
      <path
        d={PATHS[shape]}
        transform={many ? TALL : undefined}
        style={{ fill: filled ? paint : "var(--surface-2)", stroke: paint }}
        strokeWidth={1.6}
        strokeLinejoin="round"
      />
    </svg>
  );
}
