import { MiniMap, Panel, useStore } from "@xyflow/react";
import { Grid3x3, Map as MapIcon, Maximize, Minus, Plus } from "lucide-react";
import { createPortal } from "react-dom";
import { useTranslation } from "react-i18next";
import { usePreferences } from "../state/preferences";
import { useStrip } from "../state/strip";
import { categoryColour, categoryOf, cx, IconButton } from "../ui";
import styles from "./Controls.module.css";
import type { FlowNode } from "./flow";
import { currentFlow, fitAll, motion } from "./stage";

const MAP = { width: 168, height: 108 };

/** Zoom, fit and grid, in the strip below the canvas where there is one; and the map of the whole, if it is asked for. */
export function Controls({ readOnly }: { readOnly: boolean }) {
  const { t } = useTranslation();
  const minimap = usePreferences((state) => state.minimap);
  const snap = usePreferences((state) => state.snap);
  const toggle = usePreferences((state) => state.toggle);
  const percent = useStore((state) => Math.round(state.transform[2] * 100));
  const strip = useStrip((state) => state.element);
  const map = minimap && (
    <MiniMap<FlowNode>
      className={styles.map}
      position="bottom-right"
      style={MAP}
      pannable
      zoomable
      nodeColor={nodeColour}
      nodeClassName={nodeClass}
      nodeBorderRadius={4}
      ariaLabel={t("canvas.minimap")}
    />
  );
  const bar = (
    <div className={cx(styles.bar, strip && styles.inStrip)} role="toolbar" aria-label={t("canvas.controls")}>
      <IconButton
        size="s"
        side="top"
        label={t("canvas.do.zoomOut")}
        shortcut="-"
        icon={<Minus size={14} />}
        onClick={() => void currentFlow()?.zoomOut({ duration: motion(120) })}
      />
      <button
        type="button"
        className={styles.zoom}
        aria-label={t("canvas.zoomIs", { percent })}
        onClick={() => void currentFlow()?.zoomTo(1, { duration: motion(120) })}
      >
        {t("canvas.percent", { percent })}
      </button>
      <IconButton
        size="s"
        side="top"
        label={t("canvas.do.zoomIn")}
        shortcut="+"
        icon={<Plus size={14} />}
        onClick={() => void currentFlow()?.zoomIn({ duration: motion(120) })}
      />
      <IconButton
        size="s"
        side="top"
        label={t("canvas.do.fit")}
        shortcut="."
        icon={<Maximize size={14} />}
        onClick={() => fitAll()}
      />
      {!readOnly && (
        <IconButton
          size="s"
          side="top"
          label={t("canvas.do.snap")}
          shortcut="Alt+G"
          pressed={snap}
          icon={<Grid3x3 size={14} />}
          onClick={() => toggle("snap")}
        />
      )}
      <IconButton
        size="s"
        side="top"
        label={t("canvas.do.minimap")}
        shortcut="Alt+M"
        pressed={minimap}
        icon={<MapIcon size={14} />}
        onClick={() => toggle("minimap")}
      />
    </div>
  );
  return (
    <>
      {strip && createPortal(bar, strip)}
      {(map || !strip) && (
        <Panel position="bottom-right" className={styles.panel}>
          {map}
          {!strip && bar}
        </Panel>
      )}
    </>
  );
}

function nodeColour(node: FlowNode): string {
  if (node.type === "frame" || node.type === "note") return "var(--surface-3)";
  const colour = categoryColour(categoryOf(node.data.entry.type));
  return node.type === "region" ? `color-mix(in srgb, ${colour} 22%, transparent)` : colour;
}

function nodeClass(node: FlowNode): string {
  return node.selected ? (styles.chosen ?? "") : "";
}
