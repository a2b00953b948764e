import { type FlowNode, LAYER, type WireEdge } from "./flow";

type Kind = Record<string, unknown>;

/**
 * The nodes as the document has them, with what only the drawing knows (measured sizes, a drag that goes on), and the
 * same objects as before wherever nothing has changed, so that only what changed is drawn again.
 */
export function reconcileNodes(
  before: readonly FlowNode[],
  now: readonly FlowNode[],
  selected: (id: string) => boolean,
  labels: ReadonlyMap<string, string>,
  domAttributes?: FlowNode["domAttributes"],
): FlowNode[] {
  const old = new Map(before.map((node) => [node.id, node]));
  const next = now.map((node): FlowNode => {
    const last = old.get(node.id);
    const ariaLabel = labels.get(node.id);
    const chosen = selected(node.id);
    const zIndex = chosen && node.zIndex === LAYER.node ? LAYER.nodeSelected : node.zIndex;
    if (!last) return { ...node, zIndex, selected: chosen, ariaLabel, domAttributes } as FlowNode;
    const resizing = last.resizing === true;
    const position = last.dragging || resizing ? last.position : node.position;
    const width = resizing ? last.width : node.width;
    const height = resizing ? last.height : node.height;
    const same =
      last.type === node.type &&
      last.parentId === node.parentId &&
      last.zIndex === zIndex &&
      (last.selected ?? false) === chosen &&
      last.position.x === position.x &&
      last.position.y === position.y &&
      last.width === width &&
      last.height === height &&
      last.ariaLabel === ariaLabel &&
      last.domAttributes === domAttributes &&
      shallowEqual(last.data, node.data);
    if (same) return last;
    const { measured, dragging } = last;
    const drawing = { measured, dragging, resizing, selected: chosen, ariaLabel, domAttributes };
    return { ...node, zIndex, position, width, height, ...drawing } as FlowNode;
  });
  return next.length === before.length && next.every((node, i) => node === before[i]) ? (before as FlowNode[]) : next;
}

export function reconcileEdges(
  before: readonly WireEdge[],
  now: readonly WireEdge[],
  selected: (id: string) => boolean,
): WireEdge[] {
  const old = new Map(before.map((edge) => [edge.id, edge]));
  const next = now.map((edge) => {
    const last = old.get(edge.id);
    const chosen = selected(edge.id);
    const same =
      last !== undefined &&
      last.source === edge.source &&
      last.sourceHandle === edge.sourceHandle &&
      last.zIndex === edge.zIndex &&
      (last.selected ?? false) === chosen &&
      shallowEqual(last.data ?? {}, edge.data ?? {});
    if (same) return last;
    return { ...edge, selected: chosen, ariaLabel: edge.data?.label };
  });
  return next.length === before.length && next.every((edge, i) => edge === before[i]) ? (before as WireEdge[]) : next;
}

function shallowEqual(a: Kind, b: Kind): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => samePart(a[key], b[key]));
}

/** A path is a new array with the same words after every move between tabs. */
function samePart(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => Object.is(one, b[i]));
}
