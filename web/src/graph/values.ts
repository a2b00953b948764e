import type { Body, GraphFile, Json } from "../api/schema";
import { type BodyPath, bodyAt, graphName, promotedAs, splitTarget } from "./body";
import { faceOf } from "./face";
import { sameJson } from "./normal";
import type { SpecIndex } from "./specs";

/** Where the value of `node.setting` is kept: on the outermost instance that promotes it, else on the node itself. */
export function keeper(graph: GraphFile, path: BodyPath, address: string): { path: BodyPath; address: string } {
  const body = bodyAt(graph, path);
  const name = promotedAs(body, address);
  const instance = path.at(-1);
  if (name === null || instance === undefined) return { path, address };
  return keeper(graph, path.slice(0, -1), `${instance}.${name}`);
}

/**
 * The value of `node.setting` that counts, and whether it is the one that nobody changed: for a node that of its
 * declaration, for an instance that of the body.
 */
export function portValue(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  address: string,
  specs: SpecIndex,
): { value: Json | undefined; isDefault: boolean } {
  const { node, port } = splitTarget(address);
  const entry = body.nodes[node];
  if (!entry) return { value: undefined, isDefault: true };
  const given = fromAbove(graph, path, body, address);
  const own = given ?? entry.settings?.[port];
  const subgraph = graphName(entry.type);
  if (subgraph !== null) {
    if (own !== undefined) return { value: own, isDefault: false };
    return { value: faceOf(graph, subgraph, specs)?.inputs.get(port)?.value, isDefault: true };
  }
  const usual = specs.byId.get(entry.type)?.defaults[port];
  if (own === undefined) return { value: usual, isDefault: true };
  return { value: own, isDefault: usual !== undefined && sameJson(own, usual) };
}

/** What an instance around this body says about a promoted setting; the outermost one wins. */
function fromAbove(graph: GraphFile, path: BodyPath, body: Body, address: string): Json | undefined {
  const name = promotedAs(body, address);
  const instance = path.at(-1);
  if (name === null || instance === undefined) return undefined;
  const outer = path.slice(0, -1);
  const outerBody = bodyAt(graph, outer);
  const above = fromAbove(graph, outer, outerBody, `${instance}.${name}`);
  return above ?? outerBody.nodes[instance]?.settings?.[name];
}

/** The settings that the interface of a body shows as a form: name, and the value that counts. */
export function interfaceValue(graph: GraphFile, path: BodyPath, name: string, specs: SpecIndex): Json | undefined {
  const body = bodyAt(graph, path);
  const [first] = body.interface.inputs?.[name] ?? [];
  return first === undefined ? undefined : portValue(graph, path, body, first, specs).value;
}
