import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { disconnect, removeNodes, setMode } from "../graph/edit";
import { type OutlineRow, outline } from "../graph/outline";
import type { SpecIndex } from "../graph/specs";
import { addTexts } from "../i18n";
import english from "../i18n/en/outline.json";
import { useCheck } from "../state/check";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, useDoc, useGraph, usePath, useTabs } from "../state/tabs";
import { EmptyState, Spinner } from "../ui";
import { ConnectPicker } from "./ConnectPicker";
import styles from "./Outline.module.css";
import { OutlineLine } from "./OutlineLine";
import { outlineAct } from "./outlineKeys";
import { isOpen, pathTo, typed, visibleRows } from "./outlineRows";

addTexts(english);

/** The graph as a tree: regions, nodes, ports and what feeds them. All that the canvas does with them, by keyboard. */
export function Outline() {
  const specs = useSpecs((state) => state.index);
  return specs ? <Tree specs={specs} /> : <Spinner />;
}

/** Letters typed within this time are one word. */
const TYPING = 700;

function Tree({ specs }: { specs: SpecIndex }) {
  const { t } = useTranslation();
  const graph = useGraph();
  const path = usePath();
  const check = useCheck((state) => (state.graph === graph ? state.check : null));
  const readOnly = useDoc((doc) => doc.readOnly);
  const compact = useSession((state) => state.compact);
  const selection = useSession((state) => state.selection);
  const { setSelection, focusNode } = useSession.getState();
  const setPath = useTabs((state) => state.setPath);
  const fixed = readOnly || compact;

  const tree = useMemo(() => outline(graph, path, specs, check), [graph, path, specs, check]);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [active, setActive] = useState<string | null>(null);
  const [renaming, setRenaming] = useState<string | null>(null);
  const [connecting, setConnecting] = useState<string | null>(null);
  const rows = useMemo(() => visibleRows(tree, toggled), [tree, toggled]);
  const at = Math.max(
    0,
    rows.findIndex((one) => one.row.key === active),
  );
  const scroller = useRef<HTMLDivElement>(null);
  const letters = useRef({ text: "", at: 0 });
  const id = useId();
  const height = compact ? 44 : 26;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
  });

  // What is selected on the canvas comes into sight here; what was chosen here is there already.
  const only = selection.size === 1 ? [...selection][0] : undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new selection is what moves the list, not a new tree
  useEffect(() => {
    const here = rows[at]?.row;
    if (only === undefined || (here?.kind === "port" && here.node === only)) return;
    const around = pathTo(tree, only);
    if (!around) return;
    const closed = around.filter((row) => !isOpen(row, toggled)).map((row) => row.key);
    if (closed.length > 0) setToggled((now) => symmetric(now, closed));
    setActive([...path, only].join("/"));
  }, [only]);
  useEffect(() => {
    if (at < rows.length) virtual.scrollToIndex(at, { align: "auto" });
  }, [at, rows.length, virtual]);

  const toggle = (row: OutlineRow) => setToggled((now) => symmetric(now, [row.key]));
  const choose = (row: OutlineRow, add = false) => {
    setActive(row.key);
    if (row.kind === "port") setSelection([row.node]);
    else if (!add) setSelection([row.id]);
    else setSelection(symmetric(selection, [row.id]));
  };
  const go = (index: number, add = false) => {
    const next = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    if (next) choose(next.row, add);
  };
  const jump = (row: OutlineRow) => {
    if (row.kind === "node") {
      if (row.is === "subgraph") setPath([...path, row.id]);
      else focusNode(row.flat);
      return;
    }
    const [wire] = row.sources.length > 0 ? row.sources : row.readers;
    const other = row.sources.length > 0 ? wire?.source : wire?.target;
    if (other) focusNode([...path, other.split(".")[0]].join("/"), other);
    else if (!fixed) setConnecting(row.key);
  };
  const remove = (row: OutlineRow) => {
    if (row.kind === "node") {
      const ids = selection.has(row.id) ? [...selection] : [row.id];
      if (currentDoc().edit("shell.edit.remove", (now) => removeNodes(now, path, ids))) go(at - 1);
    } else if (row.sources.length > 0) {
      const targets = row.sources.map((wire) => wire.target);
      currentDoc().edit("shell.edit.disconnect", (now) => disconnect(now, path, targets));
    }
  };
  const mute = (row: OutlineRow) => {
    if (row.kind !== "node") return;
    const ids = selection.has(row.id) ? [...selection] : [row.id];
    currentDoc().edit("shell.edit.mute", (now) => setMode(now, path, ids, row.mode === "mute" ? null : "mute", specs));
  };

  const type = (letter: string) => {
    const now = performance.now();
    const text = now - letters.current.at < TYPING ? letters.current.text + letter : letter;
    letters.current = { text, at: now };
    const found = typed(rows, at, text, (one) => (one.kind === "node" ? one.title : one.name));
    if (found >= 0) go(found);
  };
  const keys = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? height) / height) - 1);
    const act = outlineAct(event, { rows, at, page, fixed });
    const row = rows[at]?.row;
    if (!act || !row) return;
    event.preventDefault();
    event.stopPropagation();
    if (act.does === "go") go(act.to, act.add);
    else if (act.does === "type") type(act.letter);
    else if (act.does === "toggle") toggle(row);
    else if (act.does === "jump") jump(row);
    else if (act.does === "rename") setRenaming(row.key);
    else if (act.does === "remove") remove(row);
    else if (act.does === "mute") mute(row);
    else setConnecting(row.key);
  };

  if (tree.length === 0) return <EmptyState title={t("outline.empty")}>{t("outline.empty.text")}</EmptyState>;
  const picked = rows.find((one) => one.row.key === connecting)?.row;
  return (
    <div className={styles.panel}>
      <div
        ref={scroller}
        className={styles.tree}
        role="tree"
        tabIndex={0}
        data-region-start
        aria-label={t("shell.outline")}
        aria-multiselectable="true"
        aria-activedescendant={`${id}-${at}`}
        onKeyDown={keys}
      >
        <div className={styles.sizer} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const one = rows[item.index];
            if (!one) return null;
            return (
              <OutlineLine
                key={one.row.key}
                id={`${id}-${item.index}`}
                line={one}
                top={item.start}
                height={height}
                active={item.index === at}
                selected={one.row.kind === "node" && selection.has(one.row.id)}
                fixed={fixed}
                renaming={renaming === one.row.key}
                onChoose={(add) => (compact && one.row.kind === "node" ? jump(one.row) : choose(one.row, add))}
                onToggle={() => toggle(one.row)}
                onJump={() => jump(one.row)}
                onRename={() => setRenaming(one.row.key)}
                onRenamed={() => {
                  setRenaming(null);
                  scroller.current?.focus();
                }}
                onMute={() => mute(one.row)}
                onRemove={() => remove(one.row)}
                onConnect={() => setConnecting(one.row.key)}
              />
            );
          })}
        </div>
      </div>
      {!compact && <p className={styles.keys}>{t("outline.keys")}</p>}
      {picked?.kind === "port" && (
        <ConnectPicker
          port={picked}
          specs={specs}
          anchor={`${id}-${at}`}
          onClose={() => {
            setConnecting(null);
            scroller.current?.focus();
          }}
        />
      )}
    </div>
  );
}

/** A set with these taken out where they are in it and put in where they are not. */
function symmetric<T>(set: ReadonlySet<T>, changed: readonly T[]): Set<T> {
  const next = new Set(set);
  for (const one of changed) if (!next.delete(one)) next.add(one);
  return next;
}
