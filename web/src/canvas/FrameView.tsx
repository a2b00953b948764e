import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { editFrame } from "../graph/edit/annotations";
import { useDoc } from "../state/tabs";
import { cx } from "../ui";
import { colourOf } from "./colours";
import { edit } from "./edit";
import styles from "./FrameView.module.css";
import type { FrameNode } from "./flow";
import { Resizer } from "./Resizer";
import { useCanvas } from "./store";

/** A titled box behind nodes that belong together. It moves them, and means nothing to a run. */
export const FrameView = memo(function FrameView({ id, data, selected }: NodeProps<FrameNode>) {
  const { t } = useTranslation();
  const { frame } = data;
  const readOnly = useDoc((doc) => doc.readOnly);
  const editing = useCanvas((state) => state.editing === id);
  const stop = (title: string | null) => {
    useCanvas.setState({ editing: null });
    if (title !== null) edit("canvas.edit.frame", (graph, path) => editFrame(graph, path, frame.id, { title }));
  };
  return (
    <div
      className={cx(styles.frame, selected && styles.selected)}
      style={{ "--frame": colourOf(frame.color) } as React.CSSProperties}
    >
      <Resizer
        visible={selected && !readOnly}
        minWidth={120}
        minHeight={60}
        onResized={(at) => edit("canvas.edit.resize", (graph, path) => editFrame(graph, path, frame.id, { at }))}
      />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: F2 and the menu do the same */}
      <div className={styles.head} onDoubleClick={() => !readOnly && useCanvas.setState({ editing: id })}>
        {editing ? (
          <input
            className={cx(styles.input, "nodrag")}
            // biome-ignore lint/a11y/noAutofocus: the person asked to write here
            autoFocus
            defaultValue={frame.title}
            aria-label={t("canvas.frame.title")}
            onFocus={(event) => event.currentTarget.select()}
            onBlur={(event) => stop(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.nativeEvent.isComposing) return;
              event.stopPropagation();
              if (event.key === "Enter") event.currentTarget.blur();
              if (event.key === "Escape") stop(null);
            }}
          />
        ) : (
          <span className={styles.title}>{frame.title || t("canvas.frame.untitled")}</span>
        )}
      </div>
    </div>
  );
});
