import type { Body, GraphFile, Json } from "../../api/schema";
import {
  type BodyPath,
  bodies,
  bodyAt,
  bodyNameAt,
  graphName,
  nodeIn,
  ownerOf,
  promotedAs,
  splitTarget,
} from "../body";
import { EditError } from "../error";
import { freePort, requirePort } from "../names";
import { sameJson } from "../normal";
import { editBody, editNode, listSize, renamePorts, settle, withBody } from "./base";

/**
 * Show a setting or an input in the interface of its body: of the root it becomes a field of the form, of a subgraph a
 * setting or an input of its instances. With the name of an input that is there, both share one value.
 */
export function promote(graph: GraphFile, path: BodyPath, node: string, setting: string, name?: string): GraphFile {
  return editBody(graph, path, (body) => {
    nodeIn(body, node);
    const address = `${node}.${setting}`;
    if (promotedAs(body, address) !== null) return body;
    if (path.length > 0 && Object.hasOwn(body.edges, address)) {
      throw new EditError("E_EDGE_TWICE", "graph.error.wired", { target: address });
    }
    // A list that is wired already keeps its wires: the interface feeds the place behind them.
    const size = listSize(body, address);
    const target = size > 0 ? `${address}.${size}` : address;
    const inputs = body.interface.inputs ?? {};
    const chosen = name ?? freePort(setting, (one) => Object.hasOwn(inputs, one));
    requirePort(chosen);
    const targets = [...(inputs[chosen] ?? []), target];
    return { ...body, interface: { ...body.interface, inputs: { ...inputs, [chosen]: targets } } };
  });
}

/** Give a source to the outside. */
export function promoteOutput(graph: GraphFile, path: BodyPath, source: string, name?: string): GraphFile {
  return editBody(graph, path, (body) => {
    nodeIn(body, ownerOf(source));
    const outputs = body.interface.outputs ?? {};
    if (Object.values(outputs).includes(source)) return body;
    const taken = (one: string) => Object.hasOwn(outputs, one);
    const chosen = name ?? freePort(outputName(source), taken);
    requirePort(chosen);
    if (taken(chosen)) throw new EditError("E_ID", "graph.error.taken", { name: chosen });
    return { ...body, interface: { ...body.interface, outputs: { ...outputs, [chosen]: source } } };
  });
}

/** Take a setting or an input out of the interface. A value that all instances agree on is written into the body. */
export function demote(graph: GraphFile, path: BodyPath, node: string, setting: string): GraphFile {
  const body = bodyAt(graph, path);
  const address = `${node}.${setting}`;
  const found = Object.entries(body.interface.inputs ?? {}).find(([, targets]) =>
    targets.some((target) => target === address || target.startsWith(`${address}.`)),
  );
  if (!found) return graph;
  const [name, targets] = found;
  const value = agreed(graph, bodyNameAt(graph, path), name);
  const next = editBody(graph, path, (old) => {
    const kept = targets.filter((target) => target !== address && !target.startsWith(`${address}.`));
    const { [name]: _, ...others } = old.interface.inputs ?? {};
    const inputs = kept.length > 0 ? { ...others, [name]: kept } : others;
    const cut = { ...old, interface: { ...old.interface, inputs } };
    if (value === undefined || !targets.includes(address)) return cut;
    return editNode(cut, node, (entry) => ({ ...entry, settings: { ...entry.settings, [setting]: value } }));
  });
  return settle(graph, next);
}

export function demoteOutput(graph: GraphFile, path: BodyPath, name: string): GraphFile {
  const next = editBody(graph, path, (body) => {
    if (!Object.hasOwn(body.interface.outputs ?? {}, name)) return body;
    const { [name]: _, ...outputs } = body.interface.outputs ?? {};
    return { ...body, interface: { ...body.interface, outputs } };
  });
  return settle(graph, next);
}

/** Give a name of an interface another name, here and on every instance. */
export function renameInterface(
  graph: GraphFile,
  path: BodyPath,
  side: "inputs" | "outputs",
  old: string,
  name: string,
): GraphFile {
  const names = bodyAt(graph, path).interface[side] ?? {};
  if (!Object.hasOwn(names, old) || old === name) return graph;
  requirePort(name);
  if (Object.hasOwn(names, name)) throw new EditError("E_ID", "graph.error.taken", { name });
  const subgraph = bodyNameAt(graph, path);
  let next = editBody(graph, path, (body) => {
    const entries = Object.entries(body.interface[side] ?? {});
    const renamed = Object.fromEntries(entries.map(([one, value]) => [one === old ? name : one, value]));
    return { ...body, interface: { ...body.interface, [side]: renamed } };
  });
  if (subgraph === null) return next;
  for (const [holder, body] of bodies(next)) {
    const renamed = renameOnInstances(body, subgraph, side, old, name);
    if (renamed !== body) next = withBody(next, holder, renamed);
  }
  return next;
}

function renameOnInstances(body: Body, subgraph: string, side: "inputs" | "outputs", old: string, name: string): Body {
  const instances = instancesIn(body, subgraph);
  if (instances.size === 0) return body;
  const rename = (port: string): string => {
    const { node, port: found, index } = splitTarget(port);
    if (found !== old || !instances.has(node)) return port;
    return index === null ? `${node}.${name}` : `${node}.${name}.${index}`;
  };
  const same = (port: string) => port;
  if (side === "outputs") return renamePorts(body, same, rename);
  let next = body;
  for (const id of instances) {
    next = editNode(next, id, (entry) => {
      if (!Object.hasOwn(entry.settings ?? {}, old)) return entry;
      const settings = Object.entries(entry.settings ?? {}).map(([one, value]) => [one === old ? name : one, value]);
      return { ...entry, settings: Object.fromEntries(settings) };
    });
  }
  return renamePorts(next, rename, same);
}

function instancesIn(body: Body, subgraph: string): Set<string> {
  const ids = Object.keys(body.nodes);
  return new Set(ids.filter((id) => graphName(body.nodes[id]?.type ?? "") === subgraph));
}

/** The value that every instance gives to a promoted setting; undefined where they differ or one leaves it alone. */
function agreed(graph: GraphFile, subgraph: string | null, name: string): Json | undefined {
  if (subgraph === null) return undefined;
  const values: (Json | undefined)[] = [];
  for (const [, body] of bodies(graph)) {
    for (const id of instancesIn(body, subgraph)) values.push(body.nodes[id]?.settings?.[name]);
  }
  const [first] = values;
  return values.every((value) => sameJson(value, first)) ? first : undefined;
}

/** What an output is called outside: its port, or its node where the port is only "out". */
export function outputName(source: string): string {
  const { node, port } = splitTarget(source);
  return port === "out" ? node : port;
}
