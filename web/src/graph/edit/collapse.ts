import type { Body, GraphFile, Interface, NodeEntry } from "../../api/schema";
import { type BodyPath, bodyAt, bodyNameAt, ownerOf, regionOf, splitTarget, withInside } from "../body";
import { EditError } from "../error";
import { targetInfo } from "../face";
import { middle } from "../geometry";
import { freeId, freePort, requireId } from "../names";
import { type SettingView, shapeOf } from "../ports";
import type { SpecIndex } from "../specs";
import { withBody } from "./base";
import { outputName, promote } from "./interface";
import { isTaken } from "./nodes";
import { keptStream, usesStream } from "./streams";

/**
 * Put nodes into a subgraph of their own and an instance of it in their place. Wires that cross its border become
 * inputs and outputs, what the interface around it names stays named, and every node draws the numbers it drew before.
 * Settings in `promote` ("node.setting") are shown on the instance.
 */
export function collapse(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string>,
  { name, specs, promote: shown = [] }: { name: string; specs?: SpecIndex; promote?: readonly string[] },
): { graph: GraphFile; instance: string } {
  const body = bodyAt(graph, path);
  const chosen = withInside(body, ids);
  if (chosen.size === 0) throw new EditError("E_GRAPH_UNKNOWN", "graph.error.nothing");
  requireId(name);
  const region = commonRegion(body, chosen);
  const subgraph = freeId(name, (one) => Object.hasOwn(graph.graphs, one));
  const instance = freeId(subgraph, (one) => isTaken(body)(one) && !chosen.has(one));
  const border = new Border(graph, body, chosen, instance, specs);
  const inner: Body = {
    nodes: innerNodes(graph, path, body, chosen, specs),
    edges: border.innerEdges,
    interface: { inputs: border.inputs, outputs: border.outputs },
    view: { nodes: pick(body.view.nodes ?? {}, chosen), notes: [], frames: [] },
  };
  const entry: NodeEntry = { type: `graph:${subgraph}`, version: 1, ...(region !== null && { in: region }) };
  const places = Object.values(inner.view.nodes ?? {});
  const outer: Body = {
    nodes: { ...drop(body.nodes, chosen), [instance]: entry },
    edges: border.outerEdges,
    interface: border.outerInterface(),
    view: { ...body.view, nodes: { ...drop(body.view.nodes ?? {}, chosen), [instance]: middle(places) } },
  };
  const next = withBody(graph, bodyNameAt(graph, path), outer);
  const made = { ...next, graphs: { ...next.graphs, [subgraph]: inner } };
  const inside = [...path, instance];
  const named = shown.reduce((now, address) => {
    const { node, port } = splitTarget(address);
    return promote(now, inside, node, port);
  }, made);
  return { graph: named, instance };
}

/** Settings of nodes that could be shown on a subgraph of them: those that no wire and no interface feeds. */
export function settingsIn(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string>,
  specs: SpecIndex,
): { node: string; title: string; view: SettingView }[] {
  const body = bodyAt(graph, path);
  return [...withInside(body, ids)].flatMap((node) => {
    const { settings, title } = shapeOf(graph, path, node, specs, null);
    return settings
      .filter((view) => view.wired === null && view.promoted === null && !view.stray)
      .map((view) => ({ node, title, view }));
  });
}

/** The region that all chosen nodes live in, leaving out those inside of regions that are chosen themselves. */
function commonRegion(body: Body, chosen: ReadonlySet<string>): string | null {
  const regions = new Set<string | null>();
  for (const id of chosen) {
    const owner = regionOf(body, id);
    if (owner === null || !chosen.has(owner)) regions.add(owner);
  }
  if (regions.size > 1) throw new EditError("E_REGION", "graph.error.severalRegions");
  return [...regions][0] ?? null;
}

function innerNodes(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  chosen: ReadonlySet<string>,
  specs?: SpecIndex,
): Body["nodes"] {
  const kept = keptStream(graph, path);
  const nodes: Body["nodes"] = {};
  for (const id of chosen) {
    const entry = body.nodes[id];
    if (!entry) continue;
    const { in: owner, stream: _, ...rest } = entry;
    const stream = usesStream(graph, entry, specs) ? kept(id, entry) : entry.stream;
    nodes[id] = {
      ...rest,
      ...(owner !== undefined && chosen.has(owner) && { in: owner }),
      ...(stream !== undefined && { stream }),
    };
  }
  return nodes;
}

/** What crosses the border of the chosen nodes, under names of the new interface. */
class Border {
  readonly inputs: Record<string, string[]> = {};
  readonly outputs: Record<string, string> = {};
  readonly innerEdges: Body["edges"] = {};
  readonly outerEdges: Body["edges"] = {};
  private readonly bySource = new Map<string, string>();
  private readonly byOutput = new Map<string, string>();

  constructor(
    private readonly graph: GraphFile,
    private readonly body: Body,
    private readonly chosen: ReadonlySet<string>,
    private readonly instance: string,
    private readonly specs?: SpecIndex,
  ) {
    for (const [target, source] of Object.entries(body.edges)) {
      const [into, from] = [chosen.has(ownerOf(target)), chosen.has(ownerOf(source))];
      if (into && from) this.innerEdges[target] = source;
      else if (into) this.enter(target, source);
      else this.outerEdges[target] = from ? this.leave(source) : source;
    }
  }

  /** The interface around, which names the instance where it named chosen nodes. */
  outerInterface(): Interface {
    const inputs: Record<string, string[]> = {};
    for (const [name, targets] of Object.entries(this.body.interface.inputs ?? {})) {
      const within = targets.filter((target) => this.chosen.has(ownerOf(target)));
      const outside = targets.filter((target) => !this.chosen.has(ownerOf(target)));
      inputs[name] = within.length === 0 ? targets : [...outside, this.input(name, within)];
    }
    const outputs: Record<string, string> = {};
    for (const [name, source] of Object.entries(this.body.interface.outputs ?? {})) {
      outputs[name] = this.chosen.has(ownerOf(source)) ? this.leave(source) : source;
    }
    return { inputs, outputs };
  }

  /** A wire from outside; targets that one source feeds share an input, unless one of them is a setting. */
  private enter(target: string, source: string): void {
    const setting = this.specs && targetInfo(this.graph, this.body, target, this.specs)?.kind === "setting";
    const key = setting ? `setting ${target}` : source;
    const known = this.bySource.get(key);
    if (known !== undefined) {
      this.inputs[known]?.push(target);
      return;
    }
    const address = this.input(splitTarget(target).port, [target]);
    this.bySource.set(key, splitTarget(address).port);
    this.outerEdges[address] = source;
  }

  private input(name: string, targets: string[]): string {
    const free = freePort(name, (one) => Object.hasOwn(this.inputs, one));
    this.inputs[free] = targets;
    return `${this.instance}.${free}`;
  }

  private leave(source: string): string {
    let name = this.byOutput.get(source);
    if (name === undefined) {
      name = freePort(outputName(source), (one) => Object.hasOwn(this.outputs, one));
      this.outputs[name] = source;
      this.byOutput.set(source, name);
    }
    return `${this.instance}.${name}`;
  }
}

function pick<T>(all: Record<string, T>, ids: ReadonlySet<string>): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([id]) => ids.has(id)));
}

function drop<T>(all: Record<string, T>, ids: ReadonlySet<string>): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([id]) => !ids.has(id)));
}
