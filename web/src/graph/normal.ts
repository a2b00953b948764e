import type { Body, GraphFile, Json } from "../api/schema";

type Loose<T> = { [K in keyof T]?: T[K] };

/** A graph with every part that the editor counts on; files leave out what is empty. */
export function complete(file: Loose<GraphFile> | GraphFile): GraphFile {
  const graphs: Record<string, Body> = {};
  for (const [name, body] of Object.entries(file.graphs ?? {})) graphs[name] = completeBody(body);
  const graph: GraphFile = {
    ...completeBody(file),
    format: "hcpgraph/1",
    meta: file.meta ?? {},
    requires: file.requires ?? {},
    graphs,
  };
  if (file.run !== undefined) graph.run = file.run;
  return graph;
}

function completeBody(body: Loose<Body>): Body {
  return {
    nodes: body.nodes ?? {},
    edges: body.edges ?? {},
    interface: { inputs: body.interface?.inputs ?? {}, outputs: body.interface?.outputs ?? {} },
    view: { nodes: body.view?.nodes ?? {}, notes: body.view?.notes ?? [], frames: body.view?.frames ?? [] },
  };
}

export function emptyGraph(title?: string): GraphFile {
  return complete({ meta: title === undefined ? {} : { title } });
}

/** Whether two JSON values say the same; the order of keys does not count. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => sameJson(one, b[i]));
  }
  const [one, two] = [a as Record<string, Json>, b as Record<string, Json>];
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(two).length &&
    keys.every((key) => Object.hasOwn(two, key) && sameJson(one[key], two[key]))
  );
}

/** Whether two versions of a document compute the same: where boxes stand and what they are called does not count. */
export function sameMeaning(a: GraphFile, b: GraphFile): boolean {
  if (a === b) return true;
  if (a.requires !== b.requires || a.run !== b.run || !sameBody(a, b)) return false;
  if (a.graphs === b.graphs) return true;
  const names = Object.keys(a.graphs);
  return (
    names.length === Object.keys(b.graphs).length &&
    names.every((name) => {
      const [one, two] = [a.graphs[name], b.graphs[name]];
      return one !== undefined && two !== undefined && sameBody(one, two);
    })
  );
}

function sameBody(a: Body, b: Body): boolean {
  return a.nodes === b.nodes && a.edges === b.edges && a.interface === b.interface;
}
