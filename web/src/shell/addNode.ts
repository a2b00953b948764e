import type { GraphFile } from "../api/schema";
import { type BodyPath, bodyAt, ownerOf, regionChain } from "../graph/body";
import { addNode } from "../graph/edit/nodes";
import { splice } from "../graph/edit/splice";
import { connect } from "../graph/edit/wires";
import { sourceScope } from "../graph/scope";
import type { SpecIndex } from "../graph/specs";
import { useCheck } from "../state/check";
import { usePreferences } from "../state/preferences";
import { type SearchRequest, useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, currentPath } from "../state/tabs";

export type Place = Pick<SearchRequest, "canvas" | "filter" | "inside" | "splice">;

/** A column of nodes and the gap behind it. */
const COLUMN = 260;
const ROW = 40;

/**
 * Where a node goes that was added without pointing at a place: right of the selected one and in its region, inside a
 * selected region, else right of everything.
 */
export function freePlace(graph: GraphFile, path: BodyPath, specs: SpecIndex, selection: ReadonlySet<string>): Place {
  const body = bodyAt(graph, path);
  const places = body.view.nodes ?? {};
  const chosen = [...selection].filter((id) => Object.hasOwn(body.nodes, id)).at(-1);
  const [x = 0, y = 0, width] = (chosen && places[chosen]) || [];
  const owner = chosen !== undefined && specs.byId.get(body.nodes[chosen]?.type ?? "")?.body === true;
  const inside = chosen === undefined ? null : owner ? chosen : (body.nodes[chosen]?.in ?? null);
  const right = Math.max(0, ...Object.values(places).map(([left = 0, , w = COLUMN - ROW]) => left + w)) + ROW;
  let canvas: [number, number] = [right, 0];
  if (owner) canvas = [x + ROW, y + 2 * ROW];
  else if (chosen !== undefined) canvas = [x + (width ?? COLUMN - ROW) + ROW, y];
  const taken = (at: [number, number]) =>
    Object.entries(places).some(
      ([id, [left = 0, top = 0]]) => id !== chosen && Math.abs(left - at[0]) < ROW && Math.abs(top - at[1]) < ROW,
    );
  while (taken(canvas)) canvas = [canvas[0], canvas[1] + 2 * ROW];
  return { canvas, inside };
}

/** Add a node, wire it to what was held and splice it into a wire, in one step of undo; it is selected then. */
export function insertNode(type: string, place: Place, port?: string): string | null {
  const specs = useSpecs.getState().index;
  if (!specs) return null;
  const path = currentPath();
  const { check } = useCheck.getState();
  const { canvas, filter } = place;
  let added: string | null = null;
  const done = currentDoc().edit("shell.edit.add", (graph) => {
    const body = bodyAt(graph, path);
    const inside =
      filter?.side === "source" ? insideOf(graph, path, specs, filter.address, place.inside) : place.inside;
    const fresh = addNode(graph, path, specs.byId.get(type) ?? type, { at: canvas, inside: inside ?? null });
    let next = fresh.graph;
    if (filter && port && Object.hasOwn(body.nodes, ownerOf(filter.address))) {
      const own = `${fresh.id}.${port}`;
      const [source, target] = filter.side === "source" ? [filter.address, own] : [own, filter.address];
      next = connect(next, path, source, target, { specs });
    }
    if (place.splice !== undefined) next = splice(next, path, fresh.id, place.splice, { specs, check });
    added = fresh.id;
    return next;
  });
  if (!done || added === null) return null;
  usePreferences.getState().used(type);
  useSession.getState().setSelection([added]);
  return added;
}

/** A node that a source feeds must stand in the regions of that source: a wire does not leave a region. */
function insideOf(
  graph: GraphFile,
  path: BodyPath,
  specs: SpecIndex,
  source: string,
  wished: string | null | undefined,
): string | null {
  const body = bodyAt(graph, path);
  const scope = sourceScope(graph, body, source, specs);
  const chain = wished ? [...regionChain(body, wished), wished] : [];
  return scope.every((owner, i) => chain[i] === owner) ? (wished ?? null) : (scope.at(-1) ?? null);
}

/** Add a node from a list, by key or click, and show it. */
export function addFromList(type: string): void {
  const specs = useSpecs.getState().index;
  if (!specs) return;
  const path = currentPath();
  const { selection, focusNode } = useSession.getState();
  const id = insertNode(type, freePlace(currentDoc().getState().graph, path, specs, selection));
  if (id !== null) focusNode([...path, id].join("/"));
}
