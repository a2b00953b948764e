import "@xyflow/react/dist/base.css";
import {
  Background,
  BackgroundVariant,
  type EdgeTypes,
  type NodeTypes,
  PanOnScrollMode,
  ReactFlow,
  ReactFlowProvider,
  SelectionMode,
  useNodesInitialized,
  useReactFlow,
  type Viewport,
} from "@xyflow/react";
import type { TFunction } from "i18next";
import { type CSSProperties, lazy, type MouseEvent, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { GraphFile } from "../api/schema";
import type { BodyPath } from "../graph/body";
import type { SpecIndex } from "../graph/specs";
import { usePreferences } from "../state/preferences";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { useDoc, useGraph, usePath, useTabs } from "../state/tabs";
import { rememberPointer } from "./actions";
import styles from "./Canvas.module.css";
import { ConnectionLine } from "./ConnectionLine";
import { Controls } from "./Controls";
import { canvasKeys, showFocused } from "./canvasKeys";
import { registerCanvasCommands } from "./commands";
import {
  isValidConnection,
  onConnect,
  onConnectEnd,
  onConnectStart,
  onReconnect,
  onReconnectStart,
} from "./connecting";
import { onNodeDrag, onNodeDragStart, onNodeDragStop } from "./dragging";
import { onDragLeave, onDragOver, onDrop } from "./drop";
import { EdgeView } from "./EdgeView";
import { FrameView } from "./FrameView";
import { firstView } from "./firstView";
import { type FlowNode, isExtra, type WireEdge } from "./flow";
import { MANY_NODES } from "./geometry";
import { Hint } from "./Hint";
import { reveal, showPart } from "./keyboard";
import { NodeView } from "./NodeView";
import { NoteView } from "./NoteView";
import { RegionView } from "./RegionView";
import { RerouteView } from "./RerouteView";
import { followSelection, selectedAll, selectForMenu } from "./selection";
import { focusElement, regionAt, setStage } from "./stage";
import { forgetCanvas, hoverWire, openMenu, useCanvas } from "./store";
import { useDetail, useSeen } from "./useDetail";
import { useFlowGraph } from "./useFlowGraph";
import { findWays, forgetWays } from "./ways";

// What a first look does not need.
const Chooser = lazy(() => import("./Chooser").then(({ Chooser }) => ({ default: Chooser })));
const Menus = lazy(() => import("./Menus").then(({ Menus }) => ({ default: Menus })));

const nodeTypes = {
  card: NodeView,
  region: RegionView,
  reroute: RerouteView,
  frame: FrameView,
  note: NoteView,
} as NodeTypes;
const edgeTypes = { wire: EdgeView } as EdgeTypes;

/** Where each body was looked at last, by tab and path; forgotten with the page. */
const viewports = new Map<string, Viewport>();

/** The graph as a drawing. `readOnly` also where the document could be edited: on a phone. */
export function Canvas({ readOnly = false }: { readOnly?: boolean }) {
  const specs = useSpecs((state) => state.index);
  const graph = useGraph();
  const path = usePath();
  const tab = useTabs((state) => state.active);
  const locked = useDoc((doc) => doc.readOnly) || readOnly;
  useEffect(registerCanvasCommands, []);
  useEffect(followSelection, []);
  if (!specs) return <div className={styles.canvas} />;
  const place = `${tab}:${path.join("/")}`;
  return (
    // Each body has its own drawing: nothing of the last one's measures or gestures can leak into it.
    <ReactFlowProvider key={place}>
      <Drawing place={place} graph={graph} path={path} specs={specs} readOnly={locked} />
    </ReactFlowProvider>
  );
}

interface DrawingProps {
  place: string;
  graph: GraphFile;
  path: BodyPath;
  specs: SpecIndex;
  readOnly: boolean;
}

function Drawing({ place, graph, path, specs, readOnly }: DrawingProps) {
  const { t } = useTranslation();
  const { nodes, edges, onNodesChange, onEdgesChange } = useFlowGraph(graph, path, specs);
  const snap = usePreferences((state) => state.snap);
  const grid = usePreferences((state) => state.grid);
  const element = useRef<HTMLDivElement>(null);
  const flow = useReactFlow<FlowNode, WireEdge>();
  const [saved] = useState(() => viewports.get(place));
  const near = useDetail();
  const seen = useSeen();
  const drawn = useNodesInitialized();
  const fitted = useRef(saved !== undefined);
  const labels = useMemo(() => flowLabels(t), [t]);
  const menus = useEver(useCanvas((state) => state.menu !== null));
  const chooser = useEver(useCanvas((state) => state.chooser !== null));

  useEffect(() => {
    if (element.current) setStage({ flow, element: element.current });
    return () => {
      setStage(null);
      forgetCanvas();
      forgetWays();
    };
  }, [flow]);
  useEffect(() => {
    if (!drawn || fitted.current) return;
    fitted.current = true;
    const { clientWidth = 0, clientHeight = 0 } = element.current ?? {};
    const view = firstView(flow, clientWidth, clientHeight);
    if (view) void flow.setViewport(view);
  }, [drawn, flow]);
  useFocusWish();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was moved or grew may stand in the way of a wire
  useEffect(findWays, [nodes]);

  const point = (event: { clientX: number; clientY: number }): [number, number] => {
    const { x, y } = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    return [Math.round(x), Math.round(y)];
  };
  const search = (event: MouseEvent) => {
    if (readOnly || !(event.target as Element).classList.contains("react-flow__pane")) return;
    const canvas = point(event);
    useSession.getState().openSearch({ at: [event.clientX, event.clientY], canvas, inside: regionAt(...canvas) });
  };
  const menu = (
    event: MouseEvent | globalThis.MouseEvent,
    kind: "node" | "edge" | "pane" | "selection" | "extra",
    id: string,
  ) => {
    event.preventDefault();
    openMenu({ kind, at: { x: event.clientX, y: event.clientY }, canvas: point(event), id });
  };
  return (
    <div className={styles.canvas}>
      <ReactFlow<FlowNode, WireEdge>
        ref={element}
        style={{ "--seen": seen } as CSSProperties}
        tabIndex={0}
        data-canvas
        data-region-start
        aria-label={t("canvas.label")}
        onDoubleClick={search}
        onKeyDown={(event) => canvasKeys(event, readOnly)}
        onFocus={showFocused}
        disableKeyboardA11y
        onPointerMove={(event) => rememberPointer(point(event))}
        onPointerLeave={() => rememberPointer(null)}
        onDragOver={onDragOver}
        onDragLeave={onDragLeave}
        onDrop={onDrop}
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onConnect={onConnect}
        onConnectStart={onConnectStart}
        onConnectEnd={onConnectEnd}
        onReconnect={readOnly ? undefined : onReconnect}
        onReconnectStart={onReconnectStart}
        isValidConnection={isValidConnection}
        connectionLineComponent={ConnectionLine}
        connectionRadius={18}
        connectOnClick={false}
        onNodeDragStart={onNodeDragStart}
        onNodeDrag={onNodeDrag}
        onNodeDragStop={onNodeDragStop}
        onSelectionDragStart={(event, chosen) => chosen[0] && onNodeDragStart(plain(event), chosen[0], chosen)}
        onSelectionDrag={(event, chosen) => chosen[0] && onNodeDrag(plain(event), chosen[0], chosen)}
        onSelectionDragStop={(event, chosen) => chosen[0] && onNodeDragStop(plain(event), chosen[0], chosen)}
        onEdgeMouseEnter={(_, edge) => hoverWire(edge.id)}
        onEdgeMouseLeave={() => hoverWire(null)}
        onNodeContextMenu={(event, node) => {
          selectForMenu(node.id);
          menu(event, selectedAll().length > 1 ? "selection" : isExtra(node.id) ? "extra" : "node", node.id);
        }}
        onSelectionContextMenu={(event) => menu(event, "selection", "")}
        onEdgeContextMenu={(event, edge) => menu(event, "edge", edge.id)}
        onPaneContextMenu={(event) => menu(event, "pane", regionAt(...point(event)) ?? "")}
        onMoveEnd={(_, viewport) => fitted.current && viewports.set(place, viewport)}
        defaultViewport={saved}
        minZoom={0.08}
        maxZoom={2}
        onlyRenderVisibleElements={nodes.length > MANY_NODES}
        nodesDraggable={!readOnly}
        nodesConnectable={!readOnly}
        edgesReconnectable={!readOnly && near}
        selectNodesOnDrag={false}
        selectionMode={SelectionMode.Partial}
        multiSelectionKeyCode={["Shift", "Control", "Meta"]}
        panOnDrag={[0, 1]}
        panOnScrollMode={PanOnScrollMode.Free}
        zoomOnDoubleClick={false}
        deleteKeyCode={null}
        snapToGrid={snap}
        snapGrid={[grid, grid]}
        zIndexMode="manual"
        ariaLabelConfig={labels}
        attributionPosition="bottom-left"
      >
        <Background variant={BackgroundVariant.Dots} gap={snap ? grid : 20} size={1.4} color="var(--grid-dot)" />
        <Controls readOnly={readOnly} />
      </ReactFlow>
      <Hint />
      <Suspense fallback={null}>
        {menus && <Menus />}
        {chooser && <Chooser />}
      </Suspense>
    </div>
  );
}

/** Whether something was ever so: what was loaded stays, and gives the focus back when it closes. */
function useEver(now: boolean): boolean {
  const [ever, setEver] = useState(now);
  if (now && !ever) setEver(true);
  return ever || now;
}

/** Somebody wants to see a node: a click in a list of problems, a jump along a wire. */
function useFocusWish(): void {
  const wish = useSession((state) => state.focus);
  const { viewportInitialized } = useReactFlow();
  const done = useRef(0);
  useEffect(() => {
    if (!wish || !viewportInitialized || wish.at <= Math.max(done.current, seen)) return;
    done.current = wish.at;
    seen = wish.at;
    const { node, port } = wish;
    showPart(node, port);
    const frame = requestAnimationFrame(() => {
      reveal(node);
      requestAnimationFrame(() => requestAnimationFrame(() => focusElement(node, port && `${node}.${port}`)));
    });
    return () => cancelAnimationFrame(frame);
  }, [wish, viewportInitialized]);
}
/** The last wish that was fulfilled, by whichever drawing. */
let seen = 0;

/** Its types say that the drag of a selection brings an event of React; it brings the browser's own. */
function plain(event: MouseEvent | globalThis.MouseEvent): globalThis.MouseEvent {
  return "nativeEvent" in event ? event.nativeEvent : event;
}

/** React Flow's own words, in the language of the page. */
function flowLabels(t: TFunction) {
  const node = t("canvas.a11y.node");
  return {
    "node.a11yDescription.default": node,
    "node.a11yDescription.keyboardDisabled": node,
    "node.a11yDescription.ariaLiveMessage": ({ x, y }: { x: number; y: number }) => t("canvas.a11y.moved", { x, y }),
    "edge.a11yDescription.default": t("canvas.a11y.wire"),
    "handle.ariaLabel": t("canvas.a11y.port"),
    "minimap.ariaLabel": t("canvas.minimap"),
  };
}
