import type {
  Body,
  Check,
  GraphFile,
  Json,
  NodeEntry,
  NodeSpec,
  PortSpec,
  SettingSchema,
  WidgetHint,
} from "../api/schema";
import {
  type BodyPath,
  bodyAt,
  flatId,
  graphName,
  nodeIn,
  promotedAs,
  splitSource,
  splitTarget,
  wiresAt,
} from "./body";
import { faceOf, origin } from "./face";
import { remembered } from "./memo";
import { sameJson } from "./normal";
import { plainType, type SpecIndex } from "./specs";
import { portValue } from "./values";

export { indexSpecs, type SpecIndex } from "./specs";

export type Side = "input" | "output" | "entry" | "exit" | "setting";

export interface PortView {
  name: string;
  side: Side;
  /** As resolved by the last check where it is known, else as declared. */
  type: string;
  /** As declared, variables and all: so the table of types knows it. */
  declared: string;
  optional: boolean;
  many: boolean;
  help: string;
  /** "node.port" */
  address: string;
  wires: { target: string; source: string }[];
  /** Interface name that feeds this target, or that this source is given out as. */
  promoted: string | null;
  /** The port for a whole bundle that can stand for this one. */
  partOf?: string;
  /** Of a port for a bundle, as drawn: whether the ports of its parts are in sight; not there if there are none to hide. */
  opened?: boolean;
  /** The node type has no such port (any more); it is shown because something is wired to it. */
  stray?: boolean;
}
export interface SettingView {
  name: string;
  /** What it is called in the language of the page, if it has a name there. */
  label: string | null;
  schema: SettingSchema;
  /** The value that counts: inside a subgraph that of the instance, for a promoted setting. */
  value: Json;
  /** Node: the value of the declaration. Instance: not overridden here. */
  isDefault: boolean;
  /** Source of the wire that feeds it. */
  wired: string | null;
  /** Name in the interface of this body. */
  promoted: string | null;
  widget: WidgetHint;
  required: boolean;
  type: string;
  /** The node type has no such setting; it can be removed by a reset. */
  stray?: boolean;
}
export interface NodeShape {
  spec: NodeSpec | null;
  kind: "node" | "region" | "subgraph" | "unknown";
  title: string;
  inputs: PortView[];
  outputs: PortView[];
  entries: PortView[];
  exits: PortView[];
  settings: SettingView[];
}

interface Known {
  key: unknown[];
  shape: NodeShape;
}
const known = new WeakMap<NodeEntry, Map<string, Known>>();

/**
 * Everything that can be seen of a node. The same object is returned as long as nothing that it shows has changed, so
 * that it can be the result of a store selector. Throws "graph.error.node" and "graph.error.path".
 */
export function shapeOf(
  graph: GraphFile,
  path: BodyPath,
  node: string,
  specs: SpecIndex,
  check?: Check | null,
): NodeShape {
  const body = bodyAt(graph, path);
  const entry = nodeIn(body, node);
  const flat = flatId(path, node);
  const shapes = remembered(known, entry, () => new Map<string, Known>());
  const last = shapes.get(flat);
  // In a subgraph, values may come from any of the instances around it.
  const above = path.length === 0 ? null : graph;
  // Ports of an unknown type and of a subgraph depend on their neighbours; a declared one stands for itself.
  const around = specs.byId.has(entry.type) ? null : body.nodes;
  const key = [body.edges, body.interface, around, graph.graphs, specs, check?.ports ?? null, above];
  if (last?.key.every((part, i) => part === key[i])) return last.shape;
  const made = makeShape({ graph, path, body, node, entry, specs, check: check ?? null });
  const shape = last && sameJson(last.shape, made) ? last.shape : made;
  shapes.set(flat, { key, shape });
  return shape;
}

interface Place {
  graph: GraphFile;
  path: BodyPath;
  body: Body;
  node: string;
  entry: NodeEntry;
  specs: SpecIndex;
  check: Check | null;
}

function makeShape(place: Place): NodeShape {
  const { graph, entry, specs } = place;
  const subgraph = graphName(entry.type);
  const face = subgraph === null ? null : faceOf(graph, subgraph, specs);
  const spec = subgraph === null ? (specs.byId.get(entry.type) ?? null) : null;
  const shape: NodeShape = {
    spec,
    kind: spec ? (spec.body ? "region" : "node") : face ? "subgraph" : "unknown",
    title: entry.title ?? spec?.title ?? subgraph ?? entry.type,
    inputs: [],
    outputs: [],
    entries: [],
    exits: [],
    settings: [],
  };
  if (spec) {
    shape.inputs = spec.inputs.map((port) => targetView(place, port, "input"));
    // Wired parts do for the whole.
    for (const { partOf, wires, promoted } of shape.inputs) {
      if (partOf === undefined || (wires.length === 0 && promoted === null)) continue;
      shape.inputs = shape.inputs.map((port) => (port.name === partOf ? { ...port, optional: true } : port));
    }
    shape.outputs = spec.outputs.map((port) => sourceView(place, port, "output"));
    shape.entries = spec.entries.map((port) => sourceView(place, port, "entry"));
    shape.exits = spec.exits.map((port) => targetView(place, port, "exit"));
    shape.settings = Object.entries(spec.schema.properties ?? {}).map(([name, schema]) =>
      settingView(
        place,
        name,
        schema,
        spec.setting_types[name] ?? "any",
        spec.schema.required?.includes(name) ?? false,
      ),
    );
  } else if (face) {
    for (const [name, info] of face.inputs) {
      if (info.kind === "setting") {
        shape.settings.push(settingView(place, name, info.schema ?? {}, info.type, info.required));
      } else {
        const { type, optional, many, help } = info;
        shape.inputs.push(targetView(place, { name, type, optional, many, help }, "input"));
      }
    }
    shape.outputs = [...face.outputs].map(([name, { type, help }]) =>
      sourceView(place, { name, type, help }, "output"),
    );
  }
  addStrays(place, shape);
  return shape;
}

function targetView(place: Place, port: PortSpec, side: "input" | "exit"): PortView {
  const { body, node } = place;
  const wires = wiresAt(body, node).incoming.filter((wire) => splitTarget(wire.target).port === port.name);
  const [first] = wires;
  const open = port.type.includes("$") && first !== undefined && !port.many;
  const address = `${node}.${port.name}`;
  return {
    name: port.name,
    side,
    // "$M:Model" of which nothing is known yet takes what a Model is
    type: (open && sourceType(place, first.source)) || plainType(port.type),
    declared: port.type,
    optional: port.optional ?? false,
    many: port.many ?? false,
    help: port.help ?? "",
    address,
    wires,
    promoted: promotedAs(body, address) ?? promotedAs(body, `${address}.0`),
    ...(port.part_of !== undefined && { partOf: port.part_of }),
  };
}

function sourceView(place: Place, port: PortSpec, side: "output" | "entry"): PortView {
  const { body, node } = place;
  const address = `${node}.${port.name}`;
  const given = Object.entries(body.interface.outputs ?? {}).find(([, source]) => source === address);
  return {
    name: port.name,
    side,
    type: sourceType(place, address) ?? port.type,
    declared: port.type,
    optional: port.optional ?? false,
    many: false,
    help: port.help ?? "",
    address,
    wires: wiresAt(body, node).outgoing.filter((wire) => splitSource(wire.source).port === port.name),
    promoted: given?.[0] ?? null,
    ...(port.part_of !== undefined && { partOf: port.part_of }),
  };
}

/** The type that the last check found for a source of this body. */
function sourceType({ graph, path, body, check }: Place, source: string): string | undefined {
  return check ? resolvedType(graph, path, body, source, check) : undefined;
}

/** The type that a check found for a source; of an instance's output, that of the node inside which gives it. */
export function resolvedType(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  source: string,
  check: Check,
): string | undefined {
  const found = check.ports[flatId(path, source)];
  if (found !== undefined) return found;
  const from = origin(graph, path, body, source);
  return check.ports[flatId(from.path, from.source)];
}

function settingView(place: Place, name: string, schema: SettingSchema, type: string, required: boolean): SettingView {
  const { graph, path, body, node, entry, specs } = place;
  const address = `${node}.${name}`;
  const own = entry.settings?.[name];
  const { value, isDefault } = portValue(graph, path, body, address, specs);
  return {
    name,
    label: (specs.byId.has(entry.type) ? schema.title : specs.labels.get(name)) ?? null,
    schema,
    value: value ?? own ?? null,
    isDefault,
    wired: body.edges[address] ?? null,
    promoted: promotedAs(body, address),
    widget: schema["x-widget"] ?? { kind: "auto" },
    required,
    type,
  };
}

/** Ports and settings that are used but not declared: an unknown type, or one that has changed since. */
function addStrays(place: Place, shape: NodeShape): void {
  const { body, node, entry } = place;
  const targets = new Set([...shape.inputs, ...shape.exits].map((port) => port.name));
  const sources = new Set([...shape.outputs, ...shape.entries].map((port) => port.name));
  const settings = new Set(shape.settings.map((setting) => setting.name));
  const stray = shape.kind !== "unknown";
  for (const [name, value] of Object.entries(entry.settings ?? {})) {
    if (settings.has(name)) continue;
    settings.add(name);
    const view = settingView(place, name, {}, "any", false);
    shape.settings.push({ ...view, value, isDefault: false, ...(stray && { stray }) });
  }
  const { incoming, outgoing } = wiresAt(body, node);
  for (const { target, source } of incoming) {
    const { port, index } = splitTarget(target);
    if (targets.has(port) || settings.has(port)) continue;
    targets.add(port);
    // An exit, as far as can be told of an unknown type: it is fed from inside of its own region.
    const exit = body.nodes[splitSource(source).node]?.in === node;
    const declared = { name: port, type: "any", optional: true, many: index !== null };
    const view = targetView(place, declared, exit ? "exit" : "input");
    (exit ? shape.exits : shape.inputs).push({ ...view, ...(stray && { stray }) });
  }
  for (const { target, source } of outgoing) {
    const { port } = splitSource(source);
    if (sources.has(port)) continue;
    sources.add(port);
    const entered = body.nodes[splitTarget(target).node]?.in === node;
    const view = sourceView(place, { name: port, type: "any" }, entered ? "entry" : "output");
    (entered ? shape.entries : shape.outputs).push({ ...view, ...(stray && { stray }) });
  }
}

/** A setting seen as the end of a wire. */
export function settingPort(node: string, setting: SettingView): PortView {
  const address = `${node}.${setting.name}`;
  return {
    name: setting.name,
    side: "setting",
    type: setting.type,
    declared: setting.type,
    optional: !setting.required,
    many: false,
    help: setting.schema.description ?? "",
    address,
    wires: setting.wired === null ? [] : [{ target: address, source: setting.wired }],
    promoted: setting.promoted,
    ...(setting.stray && { stray: true }),
  };
}

/** Every port of a shape that can take or give a wire, settings included. */
export function portsOf(shape: NodeShape, node: string): PortView[] {
  const settings = shape.settings.map((setting) => settingPort(node, setting));
  return [...shape.inputs, ...shape.exits, ...settings, ...shape.outputs, ...shape.entries];
}

export function isTarget(side: Side): boolean {
  return side === "input" || side === "exit" || side === "setting";
}
