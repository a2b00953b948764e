import { remembered } from "./memo";
import type { NodeShape, PortView } from "./ports";
import { bareType } from "./specs";

const drawn = new WeakMap<NodeShape, Map<string, NodeShape>>();

/**
 * A node as it is drawn: ports for parts of a bundle only where they are wired, shown to the outside or opened. The same
 * shape comes back for the same ports in sight.
 */
export function drawnShape(shape: NodeShape, node: string, open: (whole: string) => boolean): NodeShape {
  const sides = [shape.inputs, shape.outputs].map((ports) =>
    ports.flatMap((port) => (isIdle(port) ? port.partOf : [])),
  );
  const wholes = new Set(sides.flat());
  if (wholes.size === 0) return shape;
  const opened = new Set([...wholes].filter((name) => open(`${node}.${name}`)));
  const inSight = (ports: PortView[], own: readonly string[] = []): PortView[] =>
    ports.flatMap((port) => {
      if (own.includes(port.name)) return { ...port, opened: opened.has(port.name) };
      return isIdle(port) && !opened.has(port.partOf) ? [] : port;
    });
  const versions = remembered(drawn, shape, () => new Map<string, NodeShape>());
  return remembered(versions, [...opened].join(), () => ({
    ...shape,
    inputs: inSight(shape.inputs, sides[0]),
    outputs: inSight(shape.outputs, sides[1]),
  }));
}

/** The port for the whole bundle ("node.port") of a port that may be out of sight; null for any other. */
export function wholeOf(shape: NodeShape, node: string, name: string): string | null {
  const port = [...shape.inputs, ...shape.outputs].find((one) => one.name === name);
  return port && isIdle(port) ? `${node}.${port.partOf}` : null;
}

/** A port for a part that nothing uses. */
function isIdle(port: PortView): port is PortView & { partOf: string } {
  return port.partOf !== undefined && port.wires.length === 0 && port.promoted === null;
}

/**
 * Of the ports that a wire may end at, those to offer: where the port for the whole takes it, a port for a part is
 * offered only to a wire of its very type.
 */
export function offered(ports: readonly PortView[], legal: ReadonlySet<string>, type: string): PortView[] {
  const takes = ports.filter((port) => legal.has(port.address));
  return takes.filter(
    ({ partOf, type: own }) =>
      partOf === undefined || !takes.some(({ name }) => name === partOf) || bareType(own) === bareType(type),
  );
}
