import type { Body, GraphFile, Json, NodeEntry, PortSpec, SettingSchema } from "../api/schema";
import { graphName, splitSource, splitTarget } from "./body";
import { remembered } from "./memo";
import { bundleOf, portOf, type SpecIndex } from "./specs";

/** What a wire, a value or an interface name meets at a target. */
export interface TargetInfo {
  kind: "input" | "exit" | "setting";
  type: string;
  optional: boolean;
  many: boolean;
  /** Read when the pass is over: it may stand on what its node gives. */
  later?: boolean;
  help: string;
  /** Of a setting. */
  schema: SettingSchema | null;
  value: Json;
  required: boolean;
}
export interface SourceInfo {
  side: "output" | "entry";
  type: string;
  help: string;
}
/** What a subgraph shows to the outside. */
export interface Face {
  inputs: Map<string, TargetInfo>;
  outputs: Map<string, SourceInfo>;
}

const faces = new WeakMap<SpecIndex, WeakMap<GraphFile["graphs"], Map<string, Face | null>>>();

/** The face of a subgraph; null if there is no such subgraph or it contains itself. */
export function faceOf(graph: GraphFile, name: string, specs: SpecIndex): Face | null {
  const byGraphs = remembered(faces, specs, () => new WeakMap());
  const known = remembered(byGraphs, graph.graphs, () => new Map());
  const found = known.get(name);
  if (found !== undefined) return found;
  known.set(name, null); // while it is being made: a subgraph that contains itself has no face
  const body = graph.graphs[name];
  const face = body ? makeFace(graph, body, specs) : null;
  known.set(name, face);
  return face;
}

function makeFace(graph: GraphFile, body: Body, specs: SpecIndex): Face {
  const inputs = new Map<string, TargetInfo>();
  for (const [name, targets] of Object.entries(body.interface.inputs ?? {})) {
    const infos = targets.flatMap((target) => targetInfo(graph, body, target, specs) ?? []);
    // One that needs a wire decides: a value cannot be handed to a port.
    const first = infos.find((info) => info.kind !== "setting") ?? infos[0];
    if (!first) continue;
    // Ports for several parts of a bundle are fed by the bundle.
    const named = infos.map((info) => info.type).filter((type) => !type.includes("$"));
    const type = bundleOf(specs, named) ?? first.type;
    const required = infos.some((info) => (info.kind === "setting" ? info.required : !info.optional));
    inputs.set(name, { ...first, type, optional: !required, required });
  }
  const outputs = new Map<string, SourceInfo>();
  for (const [name, source] of Object.entries(body.interface.outputs ?? {})) {
    const info = sourceInfo(graph, body, source, specs);
    outputs.set(name, { side: "output", type: info?.type ?? "any", help: info?.help ?? "" });
  }
  return { inputs, outputs };
}

/** What a target of a body is; null if its node is not there or has no such port. An unknown type has every port. */
export function targetInfo(graph: GraphFile, body: Body, target: string, specs: SpecIndex): TargetInfo | null {
  const { node, port, index } = splitTarget(target);
  const entry = body.nodes[node];
  if (!entry) return null;
  const info = entryTarget(graph, entry, port, specs);
  // A place in a list port is a single wire.
  return info && index !== null ? { ...info, many: false } : info;
}

function entryTarget(graph: GraphFile, entry: NodeEntry, port: string, specs: SpecIndex): TargetInfo | null {
  const subgraph = graphName(entry.type);
  if (subgraph !== null) {
    const info = faceOf(graph, subgraph, specs)?.inputs.get(port);
    if (!info) return graph.graphs[subgraph] ? null : anything("input");
    const own = entry.settings?.[port];
    return own === undefined ? info : { ...info, value: own };
  }
  const spec = specs.byId.get(entry.type);
  if (!spec) return Object.hasOwn(entry.settings ?? {}, port) ? { ...anything("setting") } : anything("input");
  const input = portOf(spec.inputs, port);
  if (input) return fromPort(input, "input");
  const exit = portOf(spec.exits, port);
  if (exit) return fromPort(exit, "exit");
  const schema = spec.schema.properties?.[port];
  if (!schema) return null;
  const required = spec.schema.required?.includes(port) ?? false;
  const value = entry.settings?.[port] ?? spec.defaults[port] ?? null;
  const type = spec.setting_types[port] ?? "any";
  const help = schema.description ?? "";
  return { kind: "setting", type, optional: !required, many: false, help, schema, value, required };
}

function fromPort(port: PortSpec, kind: "input" | "exit"): TargetInfo {
  const optional = port.optional ?? false;
  const many = port.many ?? false;
  return {
    kind,
    type: port.type,
    optional,
    many,
    ...(port.later ? { later: true } : {}),
    help: port.help ?? "",
    schema: null,
    value: null,
    required: !optional,
  };
}

function anything(kind: "input" | "setting"): TargetInfo {
  return { kind, type: "any", optional: true, many: false, help: "", schema: null, value: null, required: false };
}

/** What a source of a body is; null if it is not there. */
export function sourceInfo(graph: GraphFile, body: Body, source: string, specs: SpecIndex): SourceInfo | null {
  const { node, port } = splitSource(source);
  const entry = body.nodes[node];
  if (!entry) return null;
  const subgraph = graphName(entry.type);
  if (subgraph !== null && graph.graphs[subgraph]) {
    return faceOf(graph, subgraph, specs)?.outputs.get(port) ?? null;
  }
  const spec = specs.byId.get(entry.type);
  if (!spec) return { side: "output", type: "any", help: "" };
  const output = portOf(spec.outputs, port);
  if (output) return { side: "output", type: output.type, help: output.help ?? "" };
  const entered = portOf(spec.entries, port);
  return entered ? { side: "entry", type: entered.type, help: entered.help ?? "" } : null;
}

/** Follows an output of an instance to the node that gives it: ["inst", "draw"], "decode.out". */
export function origin(
  graph: GraphFile,
  path: string[],
  body: Body,
  source: string,
): { path: string[]; source: string } {
  const { node, port } = splitSource(source);
  const name = graphName(body.nodes[node]?.type ?? "");
  const next = name === null ? undefined : graph.graphs[name];
  const inner = next?.interface.outputs?.[port];
  if (!next || inner === undefined || path.length > 32) return { path, source };
  return origin(graph, [...path, node], next, inner);
}
