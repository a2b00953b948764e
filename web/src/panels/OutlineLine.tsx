import {
  ArrowLeft,
  ArrowRight,
  BellOff,
  ChevronDown,
  ChevronRight,
  CircleAlert,
  CircleHelp,
  CornerRightUp,
  LogIn,
  Pencil,
  RefreshCcwDot,
  Spline,
  Trash2,
  TriangleAlert,
  Workflow,
} from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { StateTag } from "../canvas/StateTag";
import { setTitle } from "../graph/edit";
import type { OutlineNode, OutlinePort } from "../graph/outline";
import { typeInfo } from "../graph/specs";
import { useProblems } from "../state/check";
import { useSpecs } from "../state/specs";
import { currentDoc, currentPath } from "../state/tabs";
import { ContextMenu, categoryColour, categoryOf, cx, MenuItem, MenuSeparator, PortShape, TextField } from "../ui";
import styles from "./Outline.module.css";
import type { VisibleRow } from "./outlineRows";

interface LineProps {
  id: string;
  line: VisibleRow;
  top: number;
  height: number;
  active: boolean;
  selected: boolean;
  /** Nothing can be edited. */
  fixed: boolean;
  renaming: boolean;
  onChoose: (add: boolean) => void;
  onToggle: () => void;
  onJump: () => void;
  onRename: () => void;
  onRenamed: () => void;
  onMute: () => void;
  onRemove: () => void;
  onConnect: () => void;
}

/** One line of the outline. The tree has the focus and the keys; a line takes the mouse. */
export function OutlineLine(props: LineProps) {
  const { t } = useTranslation();
  const { line, active, selected, fixed } = props;
  const { row, level, place, size, open } = line;
  const body = (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree around it has the focus and the keys
    <div
      id={props.id}
      role="treeitem"
      tabIndex={-1}
      aria-level={level}
      aria-posinset={place}
      aria-setsize={size}
      aria-expanded={open ?? undefined}
      aria-selected={selected}
      className={cx(styles.line, active && styles.active, selected && styles.selected)}
      style={{ top: props.top, height: props.height, paddingLeft: 6 + (level - 1) * 14 }}
      onMouseDown={(event) => {
        // the tree keeps the focus
        if (!(event.target instanceof HTMLInputElement)) event.preventDefault();
        event.currentTarget.closest<HTMLElement>('[role="tree"]')?.focus();
      }}
      onClick={(event) => props.onChoose(event.ctrlKey || event.metaKey || event.shiftKey)}
      onDoubleClick={props.onJump}
    >
      <span
        className={styles.fold}
        aria-hidden
        onClick={(event) => {
          event.stopPropagation();
          if (open !== null) props.onToggle();
        }}
      >
        {open !== null && (open ? <ChevronDown size={13} /> : <ChevronRight size={13} />)}
      </span>
      {row.kind === "node" ? (
        props.renaming ? (
          <Rename row={row} done={props.onRenamed} />
        ) : (
          <NodeText row={row} />
        )
      ) : (
        <PortText row={row} />
      )}
    </div>
  );
  if (fixed) return body;
  const menu =
    row.kind === "node" ? (
      <>
        <MenuItem
          icon={row.is === "subgraph" ? <LogIn size={14} /> : <CornerRightUp size={14} />}
          shortcut="Enter"
          onSelect={props.onJump}
        >
          {t(row.is === "subgraph" ? "outline.enter" : "outline.jump")}
        </MenuItem>
        <MenuItem icon={<Pencil size={14} />} shortcut="F2" onSelect={props.onRename}>
          {t("outline.rename")}
        </MenuItem>
        <MenuItem icon={<BellOff size={14} />} shortcut="Ctrl+M" onSelect={props.onMute}>
          {t(row.mode === "mute" ? "outline.unmute" : "outline.mute")}
        </MenuItem>
        <MenuSeparator />
        <MenuItem danger icon={<Trash2 size={14} />} shortcut="Delete" onSelect={props.onRemove}>
          {t("outline.remove")}
        </MenuItem>
      </>
    ) : (
      <>
        <MenuItem icon={<Spline size={14} />} shortcut="C" onSelect={props.onConnect}>
          {t("outline.connect")}
        </MenuItem>
        <MenuItem
          disabled={row.sources.length === 0}
          danger
          icon={<Trash2 size={14} />}
          shortcut="Delete"
          onSelect={props.onRemove}
        >
          {t("outline.disconnect")}
        </MenuItem>
      </>
    );
  return (
    <ContextMenu menu={menu} label={row.kind === "node" ? row.title : row.name}>
      {body}
    </ContextMenu>
  );
}

function NodeText({ row }: { row: OutlineNode }) {
  const { t } = useTranslation();
  const problems = useProblems(row.flat);
  const errors = problems.filter((one) => one.severity === "error").length;
  return (
    <>
      {row.is === "region" ? (
        <RefreshCcwDot size={13} className={styles.icon} aria-hidden />
      ) : row.is === "subgraph" ? (
        <Workflow size={13} className={styles.icon} aria-hidden />
      ) : row.is === "unknown" ? (
        <CircleHelp size={13} className={styles.icon} aria-label={t("outline.unknown")} role="img" />
      ) : (
        <span className={styles.swatch} style={{ background: categoryColour(categoryOf(row.type)) }} />
      )}
      <span className={cx(styles.title, row.mode !== null && styles.off)}>{row.title}</span>
      {row.title !== row.id && <span className={styles.quiet}>{row.id}</span>}
      {row.mode && <span className={styles.tag}>{t(`outline.is.${row.mode}`)}</span>}
      <span className={styles.end}>
        <StateTag flat={row.flat} inline />
        {problems.length > 0 && (
          <span className={errors > 0 ? styles.error : styles.warn} title={problems[0]?.message}>
            {errors > 0 ? <CircleAlert size={13} aria-hidden /> : <TriangleAlert size={13} aria-hidden />}
            {t(errors > 0 ? "outline.errors" : "outline.warnings", { count: errors || problems.length })}
          </span>
        )}
      </span>
    </>
  );
}

function PortText({ row }: { row: OutlinePort }) {
  const { t } = useTranslation();
  const specs = useSpecs((state) => state.index);
  const info = specs ? typeInfo(specs, row.type) : undefined;
  const takes = row.side === "input" || row.side === "exit" || row.side === "setting";
  const Arrow = takes ? ArrowLeft : ArrowRight;
  const others = takes
    ? row.sources.map((wire) => `${wire.title}.${wire.source.split(".")[1]}`)
    : row.readers.map((wire) => `${wire.title}.${wire.target.split(".").slice(1).join(".")}`);
  return (
    <>
      <PortShape shape={info?.shape} color={info?.color} size={10} filled={others.length > 0} />
      <span className={styles.port}>{row.name}</span>
      <span className={styles.quiet}>{t(`outline.side.${row.side}`)}</span>
      {others.length > 0 && (
        <span className={styles.other} title={others.join("\n")}>
          <Arrow size={11} aria-label={t(takes ? "outline.from" : "outline.to")} role="img" />
          <span className={styles.name}>{others.join(", ")}</span>
        </span>
      )}
      {row.missing && (
        <span className={styles.error}>
          <CircleAlert size={13} aria-hidden />
          {t("outline.missing")}
        </span>
      )}
    </>
  );
}

/** The title of a node; an empty one gives it back that of its type. */
function Rename({ row, done }: { row: OutlineNode; done: () => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(row.title);
  const save = () => {
    if (text.trim() !== row.title) {
      currentDoc().edit("shell.edit.rename", (graph) => setTitle(graph, currentPath(), row.id, text));
    }
    done();
  };
  return (
    <TextField
      size="s"
      autoFocus
      aria-label={t("outline.newTitle", { name: row.title })}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onFocus={(event) => event.target.select()}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        event.stopPropagation();
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") done();
      }}
    />
  );
}
