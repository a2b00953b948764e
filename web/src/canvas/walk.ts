import type { Body } from "../api/schema";
import { splitSource, splitTarget, wiresAt } from "../graph/body";
import type { NodeShape, PortView } from "../graph/ports";
import { shownSettings } from "./geometry";

interface Place {
  x: number;
  y: number;
}
export type Way = "left" | "right" | "up" | "down";

/**
 * The node that one comes to along a wire: left to what feeds it, right to what it feeds, up and down to the siblings
 * that hang on the same node. Of several it is the nearest one.
 */
export function walk(body: Body, from: string, way: Way, placeOf: (id: string) => Place): string | null {
  const here = placeOf(from);
  if (way === "left" || way === "right") {
    const next = neighbours(body, from, way).filter((id) => id !== from);
    return nearest(next, here, placeOf);
  }
  const siblings = new Set<string>();
  for (const id of neighbours(body, from, "left")) for (const one of neighbours(body, id, "right")) siblings.add(one);
  for (const id of neighbours(body, from, "right")) for (const one of neighbours(body, id, "left")) siblings.add(one);
  siblings.delete(from);
  const beyond = [...siblings].filter((id) => (way === "up" ? placeOf(id).y < here.y : placeOf(id).y > here.y));
  return nearest(beyond, here, placeOf);
}

function neighbours(body: Body, node: string, way: "left" | "right"): string[] {
  const { incoming, outgoing } = wiresAt(body, node);
  const ids =
    way === "left"
      ? incoming.map((wire) => splitSource(wire.source).node)
      : outgoing.map((wire) => splitTarget(wire.target).node);
  return [...new Set(ids)].filter((id) => Object.hasOwn(body.nodes, id));
}

function nearest(ids: readonly string[], here: Place, placeOf: (id: string) => Place): string | null {
  const distance = (id: string) => Math.hypot(placeOf(id).x - here.x, placeOf(id).y - here.y);
  let best: string | null = null;
  for (const id of ids) if (best === null || distance(id) < distance(best)) best = id;
  return best;
}

/** The ports of a node in the order in which `[` and `]` go through them: targets from top to bottom, then sources. */
export function portOrder(shape: NodeShape, node: string): string[] {
  const names = [
    ...shape.inputs.map(nameOf),
    ...shownSettings(shape).shown.map(nameOf),
    ...shape.exits.map(nameOf),
    ...shape.entries.map(nameOf),
    ...shape.outputs.map(nameOf),
  ];
  return names.map((name) => `${node}.${name}`);
}

function nameOf(port: Pick<PortView, "name">): string {
  return port.name;
}

/** The next of a ring of ports; from nowhere to its first or last. */
export function nextPort(ports: readonly string[], current: string | null, step: 1 | -1): string | null {
  if (ports.length === 0) return null;
  const at = current === null ? -1 : ports.indexOf(current);
  if (at < 0) return (step === 1 ? ports[0] : ports.at(-1)) ?? null;
  return ports[(at + step + ports.length) % ports.length] ?? null;
}
