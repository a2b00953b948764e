import type { NodeSpec } from "../api/schema";
import { bareType, type SpecIndex, takenBy, typeFits, typeInfo } from "./specs";

/**
 * Node types that fit a wire dropped on empty canvas, each with the port that takes it. `side` is what the held end is.
 * Ports of exactly the type come first, then wider ones, then those for a part of it, then those that take anything.
 */
export function fittingSpecs(
  type: string,
  side: "source" | "target",
  specs: SpecIndex,
): { spec: NodeSpec; port: string }[] {
  const found: { spec: NodeSpec; port: string; rank: number }[] = [];
  for (const spec of specs.byId.values()) {
    let best: { port: string; rank: number } | null = null;
    for (const port of side === "source" ? spec.inputs : spec.outputs) {
      const fits =
        side === "source" ? typeFits(specs, takenBy(port.type, port.many), type) : typeFits(specs, type, port.type);
      if (!fits) continue;
      const rank = distance(specs, port.type, type) + (port.optional ? 1 : 0);
      if (best === null || rank < best.rank) best = { port: port.name, rank };
    }
    if (best) found.push({ spec, ...best });
  }
  found.sort((a, b) => a.rank - b.rank || (a.spec.id < b.spec.id ? -1 : 1));
  return found.map(({ spec, port }) => ({ spec, port }));
}

/** How far the type of a port is from that of a wire, in steps of two; a variable with a bound is a wider type. */
function distance(specs: SpecIndex, port: string, wire: string): number {
  const [a, b] = [bareType(port), bareType(wire)];
  if (a === "any" || /^\$\w+$/.test(a)) return 6;
  if (a === b) return a.startsWith("$") ? 2 : 0;
  const part = (whole: string, one: string) => Object.values(typeInfo(specs, whole)?.parts ?? {}).includes(one);
  return part(a, b) || part(b, a) ? 4 : 2;
}
