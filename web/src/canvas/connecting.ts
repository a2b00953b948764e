import type { Connection, FinalConnectionState, OnConnectStart } from "@xyflow/react";
import { bareTarget, bodyAt, ownerOf, splitSource } from "../graph/body";
import { type ConnectContext, legalSources, legalTargets } from "../graph/connect";
import { connect, disconnect, reconnect } from "../graph/edit/wires";
import { offered } from "../graph/parts";
import { isTarget, type PortView, portsOf, shapeOf } from "../graph/ports";
import i18n from "../i18n";
import { useCheck } from "../state/check";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, currentPath } from "../state/tabs";
import { announce } from "../ui";
import { edit } from "./edit";
import type { WireEdge } from "./flow";
import { currentFlow, regionAt } from "./stage";
import { type Connecting, useCanvas } from "./store";

export function connectContext(): ConnectContext | null {
  const specs = useSpecs.getState().index;
  return specs ? { specs, check: useCheck.getState().check } : null;
}

/** What a wire that is held at one end needs to know. `edge` is the wire whose other end was picked up. */
export function held(address: string, side: "source" | "target", edge: string | null): Connecting | null {
  const context = connectContext();
  if (!context) return null;
  const { graph } = currentDoc().getState();
  const path = currentPath();
  const node = splitSource(address).node;
  if (!Object.hasOwn(bodyAt(graph, path).nodes, node)) return null;
  const ports = portsOf(shapeOf(graph, path, node, context.specs, context.check), node);
  const port = ports.find((one) => one.address === bareTarget(address) && isTarget(one.side) === (side === "target"));
  const legal =
    side === "source" ? legalTargets(graph, path, address, context) : legalSources(graph, path, address, context);
  const { type, declared: wanted } = port ?? { type: "any", declared: "any" };
  const nodes = new Set([...legal].map(ownerOf));
  const opens = [...nodes].flatMap((id) =>
    offers(legal, id, side, type, context).flatMap(({ partOf }) => (partOf === undefined ? [] : `${id}.${partOf}`)),
  );
  return { address, side, type, wanted: side === "source" ? type : wanted, legal, opens, edge };
}

/** The ports of a node to end a wire at. */
function offers(
  legal: ReadonlySet<string>,
  node: string,
  side: "source" | "target",
  type: string,
  { specs, check }: ConnectContext,
): PortView[] {
  const shape = shapeOf(currentDoc().getState().graph, currentPath(), node, specs, check);
  const ports = portsOf(shape, node).filter((port) => isTarget(port.side) === (side === "source"));
  return offered(ports, legal, type);
}

/** The end of a wire that is being moved; set before the drag that moves it starts. */
let moved: string | null = null;

export const onReconnectStart = (_: unknown, edge: WireEdge): void => {
  moved = edge.id;
};

export const onConnectStart: OnConnectStart = (_, { nodeId, handleId, handleType }) => {
  if (!nodeId || !handleId || !handleType) return;
  useCanvas.setState({ connecting: held(`${nodeId}.${handleId}`, handleType, moved), hint: null });
};

export function isValidConnection(wire: Connection | WireEdge): boolean {
  const { connecting } = useCanvas.getState();
  if (!connecting) return false;
  const free =
    connecting.side === "source" ? `${wire.target}.${wire.targetHandle}` : `${wire.source}.${wire.sourceHandle}`;
  return connecting.legal.has(free);
}

/** Make a wire, or move one; true if the document has it now. The result is said to screen readers. */
export function makeWire(source: string, target: string, edge: string | null): boolean {
  const context = connectContext();
  if (!context) return false;
  const done = edit(edge === null ? "canvas.edit.connect" : "canvas.edit.reconnect", (graph, path) =>
    edge === null
      ? connect(graph, path, source, target, context)
      : reconnect(graph, path, edge, source, target, context),
  );
  if (done) announce(i18n.t("canvas.connect.done", { source, target: bareTarget(target) }));
  return done;
}

export function onConnect({ source, sourceHandle, target, targetHandle }: Connection): void {
  makeWire(`${source}.${sourceHandle}`, `${target}.${targetHandle}`, null);
}

export function onReconnect(edge: WireEdge, { source, sourceHandle, target, targetHandle }: Connection): void {
  const [from, to] = [`${source}.${sourceHandle}`, `${target}.${targetHandle}`];
  makeWire(from, to === bareTarget(edge.id) ? edge.id : to, edge.id);
}

/** The wire was let go. On a node: the port that takes it, or a choice of them; on empty canvas: what could take it. */
export function onConnectEnd(event: MouseEvent | TouchEvent, state: FinalConnectionState): void {
  const { connecting } = useCanvas.getState();
  const edge = moved;
  moved = null;
  useCanvas.setState({ connecting: null, hint: null });
  if (!connecting || state.isValid || state.toHandle) return;
  const at = "changedTouches" in event ? event.changedTouches[0] : event;
  if (!at) return;
  const screen = { x: at.clientX, y: at.clientY };
  const under = document.elementFromPoint(screen.x, screen.y);
  const node = under?.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  if (node && !under?.closest(".react-flow__handle")) {
    dropOnNode(connecting, node, edge, screen);
    return;
  }
  if (!under?.closest(".react-flow__pane")) return;
  if (edge !== null) {
    edit("canvas.edit.disconnect", (graph, path) => disconnect(graph, path, edge));
    return;
  }
  const flow = currentFlow();
  if (!flow) return;
  const { x, y } = flow.screenToFlowPosition(screen);
  useSession.getState().openSearch({
    at: [screen.x, screen.y],
    canvas: [Math.round(x), Math.round(y - 40)],
    filter: { type: connecting.wanted, side: connecting.side, address: connecting.address },
    inside: regionAt(x, y),
  });
}

function dropOnNode(connecting: Connecting, node: string, edge: string | null, at: { x: number; y: number }): void {
  const context = connectContext();
  if (!context || ![...connecting.legal].some((address) => ownerOf(address) === node)) return;
  const legal = offers(connecting.legal, node, connecting.side, connecting.type, context).map((port) => port.address);
  const [only] = legal;
  if (only === undefined) return;
  if (legal.length > 1) {
    useCanvas.setState({ chooser: { from: connecting.address, side: connecting.side, node, edge, at } });
  } else if (connecting.side === "source") makeWire(connecting.address, only, edge);
  else makeWire(only, edge ?? connecting.address, edge);
}
