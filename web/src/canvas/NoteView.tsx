import type { NodeProps } from "@xyflow/react";
import { lazy, memo, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { editNote } from "../graph/edit/annotations";
import { useDoc } from "../state/tabs";
import { cx } from "../ui";
import { colourOf } from "./colours";
import { edit } from "./edit";
import type { NoteNode } from "./flow";
import styles from "./NoteView.module.css";
import { Resizer } from "./Resizer";
import { useCanvas } from "./store";

const Markdown = lazy(() => import("./Markdown"));

/** A note on the canvas: markdown, drawn without anything that a stranger's file could fetch or run. */
export const NoteView = memo(function NoteView({ id, data, selected }: NodeProps<NoteNode>) {
  const { t } = useTranslation();
  const { note } = data;
  const readOnly = useDoc((doc) => doc.readOnly);
  const editing = useCanvas((state) => state.editing === id);
  const stop = (text: string | null) => {
    useCanvas.setState({ editing: null });
    if (text !== null) edit("canvas.edit.note", (graph, path) => editNote(graph, path, note.id, { text }));
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: F2 and the menu do the same
    <div
      className={cx(styles.note, selected && styles.selected)}
      style={{ "--note": colourOf(note.color ?? "amber") } as React.CSSProperties}
      onDoubleClick={() => !readOnly && useCanvas.setState({ editing: id })}
    >
      <Resizer
        visible={selected && !readOnly && !editing}
        minWidth={100}
        minHeight={40}
        onResized={(at) => edit("canvas.edit.resize", (graph, path) => editNote(graph, path, note.id, { at }))}
      />
      {editing ? (
        <textarea
          className={cx(styles.input, "nodrag", "nowheel")}
          // biome-ignore lint/a11y/noAutofocus: the person asked to write here
          autoFocus
          defaultValue={note.text}
          placeholder={t("canvas.note.placeholder")}
          aria-label={t("canvas.note.text")}
          onBlur={(event) => stop(event.currentTarget.value)}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.key === "Escape" && !event.nativeEvent.isComposing) stop(null);
          }}
        />
      ) : (
        <div className={cx(styles.text, selected && "nowheel")}>
          {note.text.trim() ? (
            <Suspense fallback={note.text}>
              <Markdown text={note.text} />
            </Suspense>
          ) : (
            <span className={styles.empty}>{t("canvas.note.empty")}</span>
          )}
        </div>
      )}
    </div>
  );
});
