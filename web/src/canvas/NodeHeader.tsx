import { CircleAlert, CornerDownRight, LogIn, MoonStar, Repeat1, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../api/schema";
import { setTitle } from "../graph/edit/nodes";
import { useProblems } from "../state/check";
import { useSession } from "../state/session";
import { useTabs } from "../state/tabs";
import { IconButton, Tooltip } from "../ui";
import { edit, isReadOnly } from "./edit";
import type { CardData } from "./flow";
import styles from "./NodeHeader.module.css";
import { useRunsOnce } from "./nodeState";
import { useCanvas } from "./store";

/** Title of a node, and what is special about it. */
export function NodeHeader({ id, data, children }: { id: string; data: CardData; children?: React.ReactNode }) {
  const { t } = useTranslation();
  const { shape, entry, flat, path, region } = data;
  const once = useRunsOnce(flat) && region !== null;
  const enter = () => useTabs.getState().setPath([...path, id]);
  const rename = () => {
    if (shape.kind === "subgraph") enter();
    else if (!isReadOnly()) useCanvas.setState({ editing: id });
  };
  return (
    // The double click has its keys: F2 renames, Ctrl+Enter is the button's.
    // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut of what the menu and the keyboard offer
    <div className={styles.header} onDoubleClick={rename}>
      <Title id={id} title={shape.title} own={entry.title ?? ""} type={entry.type} />
      {children}
      {once && (
        <Tooltip content={t("canvas.node.onceHelp")}>
          <span className={styles.once}>
            <Repeat1 size={12} aria-hidden />
            {t("canvas.node.once")}
          </span>
        </Tooltip>
      )}
      {entry.mode === "mute" && <Mode icon={<MoonStar size={12} aria-hidden />} text={t("canvas.node.muted")} />}
      {entry.mode === "bypass" && (
        <Mode icon={<CornerDownRight size={12} aria-hidden />} text={t("canvas.node.bypassed")} />
      )}
      <ProblemBadge flat={flat} id={id} />
      {shape.kind === "subgraph" && (
        <IconButton
          label={t("canvas.node.enter", { title: shape.title })}
          icon={<LogIn size={14} />}
          size="s"
          className="nodrag"
          onClick={enter}
        />
      )}
    </div>
  );
}

function Mode({ icon, text }: { icon: React.ReactNode; text: string }) {
  return (
    <span className={styles.mode}>
      {icon}
      {text}
    </span>
  );
}

function Title({ id, title, own, type }: { id: string; title: string; own: string; type: string }) {
  const { t } = useTranslation();
  const editing = useCanvas((state) => state.editing === id);
  if (!editing) {
    return (
      <span className={styles.title} title={`${title}\n${type}`}>
        {title}
      </span>
    );
  }
  const stop = (value: string | null) => {
    useCanvas.setState({ editing: null });
    if (value !== null) edit("canvas.edit.title", (graph, path) => setTitle(graph, path, id, value || null));
  };
  return (
    <input
      className={`${styles.input} nodrag`}
      // biome-ignore lint/a11y/noAutofocus: the person asked to write here
      autoFocus
      defaultValue={own || title}
      placeholder={title}
      aria-label={t("canvas.node.title")}
      onFocus={(event) => event.currentTarget.select()}
      onBlur={(event) => stop(event.currentTarget.value === title ? null : event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        event.stopPropagation();
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") stop(null);
      }}
    />
  );
}

/** How many problems a node has, the first of them on hover; a click shows the list. */
function ProblemBadge({ flat, id }: { flat: string; id: string }) {
  const { t } = useTranslation();
  const problems = useProblems(flat);
  if (problems.length === 0) return null;
  const error = problems.some((problem) => problem.severity === "error");
  const Icon = error ? CircleAlert : TriangleAlert;
  const show = () => {
    const { setSelection, showDock } = useSession.getState();
    setSelection([id]);
    showDock("problems");
  };
  return (
    <Tooltip content={<ProblemList problems={problems} />} side="top">
      <button
        type="button"
        className={`${styles.problem} ${error ? styles.error : styles.warning} nodrag`}
        aria-label={t(error ? "canvas.node.errors" : "canvas.node.warnings", { count: problems.length })}
        onClick={show}
      >
        <Icon size={14} aria-hidden />
        {problems.length > 1 && <span>{problems.length}</span>}
      </button>
    </Tooltip>
  );
}

function ProblemList({ problems }: { problems: Problem[] }) {
  return (
    <>
      {problems
        .slice(0, 3)
        .map((problem) => problem.message)
        .join("\n")}
    </>
  );
}
