import type { Body, Check, GraphFile } from "../api/schema";
import { type BodyPath, bodyAt, children, flatId, inside, ownerOf } from "./body";
import { type NodeShape, type PortView, type Side, shapeOf } from "./ports";
import type { SpecIndex } from "./specs";

export interface OutlineNode {
  kind: "node";
  /** Unique in the tree. */
  key: string;
  id: string;
  flat: string;
  title: string;
  type: string;
  is: NodeShape["kind"];
  mode: "mute" | "bypass" | null;
  /** Names of required inputs and exits that nothing is wired to. */
  missing: string[];
  /** Its ports, then what lives in its region. */
  children: OutlineRow[];
}
export interface OutlinePort {
  kind: "port";
  key: string;
  node: string;
  name: string;
  side: Side;
  type: string;
  address: string;
  /** Of an input, exit or setting: "node.port" of what feeds it, with the title of the node. */
  sources: { target: string; source: string; title: string }[];
  /** Of an output or entry: what reads it. */
  readers: { target: string; source: string; title: string }[];
  missing: boolean;
  children: OutlineRow[];
}
export type OutlineRow = OutlineNode | OutlinePort;

/** A body as a tree: regions, their nodes in the order in which data flows, the ports with what is wired to them. */
export function outline(graph: GraphFile, path: BodyPath, specs: SpecIndex, check?: Check | null): OutlineNode[] {
  const body = bodyAt(graph, path);
  const shapes = new Map(Object.keys(body.nodes).map((id) => [id, shapeOf(graph, path, id, specs, check)]));
  const title = (id: string) => shapes.get(id)?.title ?? id;
  const nodeRow = (id: string): OutlineNode | [] => {
    const shape = shapes.get(id);
    const entry = body.nodes[id];
    if (!shape || !entry) return [];
    const settings = shape.settings.filter((setting) => setting.wired !== null);
    const ports = [
      ...[...shape.inputs, ...shape.exits].map((port) => portRow(id, port)),
      ...settings.map((setting) => {
        const address = `${id}.${setting.name}`;
        const wires = [{ target: address, source: setting.wired ?? "" }];
        return portRow(id, { ...setting, side: "setting", address, wires, optional: true });
      }),
      ...[...shape.outputs, ...shape.entries].map((port) => portRow(id, port)),
    ];
    const flat = flatId(path, id);
    return {
      kind: "node",
      key: flat,
      id,
      flat,
      title: shape.title,
      type: entry.type,
      is: shape.kind,
      mode: entry.mode ?? null,
      missing: ports.filter((port) => port.missing).map((port) => port.name),
      children: [...ports, ...inFlow(body, children(body).get(id) ?? []).flatMap(nodeRow)],
    };
  };
  const portRow = (
    node: string,
    port: Pick<PortView, "name" | "side" | "type" | "address" | "wires" | "optional">,
  ): OutlinePort => {
    const takes = port.side === "input" || port.side === "exit" || port.side === "setting";
    return {
      kind: "port",
      key: `${flatId(path, port.address)} ${port.side}`,
      node,
      name: port.name,
      side: port.side,
      type: port.type,
      address: port.address,
      sources: takes ? port.wires.map((wire) => ({ ...wire, title: title(ownerOf(wire.source)) })) : [],
      readers: takes ? [] : port.wires.map((wire) => ({ ...wire, title: title(ownerOf(wire.target)) })),
      missing: takes && !port.optional && port.wires.length === 0 && !isPromoted(body, port.address),
      children: [],
    };
  };
  return inFlow(body, children(body).get(null) ?? []).flatMap(nodeRow);
}

function isPromoted(body: Body, address: string): boolean {
  const targets = Object.values(body.interface.inputs ?? {}).flat();
  return targets.some((target) => target === address || target.startsWith(`${address}.`));
}

/** Nodes of one region, each after those that feed it; from left to right where the wires leave it open. */
function inFlow(body: Body, ids: readonly string[]): string[] {
  const itemOf = new Map<string, string>();
  for (const id of ids) {
    itemOf.set(id, id);
    for (const child of inside(body, id)) itemOf.set(child, id);
  }
  const waits = new Map<string, Set<string>>(ids.map((id) => [id, new Set()]));
  for (const [target, source] of Object.entries(body.edges)) {
    const [from, to] = [itemOf.get(ownerOf(source)), itemOf.get(ownerOf(target))];
    if (from !== undefined && to !== undefined && from !== to) waits.get(to)?.add(from);
  }
  const at = (id: string) => body.view.nodes?.[id] ?? [0, 0];
  const left = [...ids].sort((a, b) => {
    const [[ax = 0, ay = 0], [bx = 0, by = 0]] = [at(a), at(b)];
    return ax - bx || ay - by || (a < b ? -1 : 1);
  });
  const rank = new Map(left.map((id, place) => [id, place]));
  const readers = new Map<string, string[]>();
  for (const [id, from] of waits) for (const one of from) readers.set(one, [...(readers.get(one) ?? []), id]);
  const order = new Set<string>();
  const ready = left.filter((id) => waits.get(id)?.size === 0);
  for (let start = 0; order.size < left.length; ) {
    // Of nodes in a circle the leftmost comes first: there is no right order.
    while (ready.length === 0 && order.has(left[start] ?? "")) start += 1;
    const next = ready.shift() ?? left[start] ?? "";
    if (order.has(next)) continue;
    order.add(next);
    for (const id of readers.get(next) ?? []) {
      waits.get(id)?.delete(next);
      if (waits.get(id)?.size !== 0 || order.has(id)) continue;
      const place = ready.findIndex((other) => (rank.get(other) ?? 0) > (rank.get(id) ?? 0));
      ready.splice(place < 0 ? ready.length : place, 0, id);
    }
  }
  return [...order];
}
