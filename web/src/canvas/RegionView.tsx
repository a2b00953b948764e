import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { resizeNode } from "../graph/edit/places";
import type { PortView } from "../graph/ports";
import { useProblems } from "../state/check";
import { useDoc } from "../state/tabs";
import { categoryColour, categoryOf, cx } from "../ui";
import { edit } from "./edit";
import type { CardNode } from "./flow";
import { PAD, PORT_ROW, portRows, REGION_MIN_WIDTH, regionTop, shownSettings } from "./geometry";
import { LossLine } from "./LossLine";
import { NodeHeader } from "./NodeHeader";
import { usePortPlaces } from "./NodeView";
import { PortRow } from "./Port";
import styles from "./RegionView.module.css";
import { Resizer } from "./Resizer";
import { SettingRow } from "./SettingRow";
import { FarState, RunLine, StateTag } from "./StateTag";
import { useCanvas } from "./store";
import { useDetail } from "./useDetail";

/** A node that owns a region: its own ports on the edge, and inside the entries and exits of what it repeats. */
export const RegionView = memo(function RegionView({ id, data, selected }: NodeProps<CardNode>) {
  const { shape, entry, flat, path } = data;
  const { t } = useTranslation();
  const detail = useDetail();
  const readOnly = useDoc((doc) => doc.readOnly);
  const target = useCanvas((state) => state.dropRegion === id);
  const broken = useProblems(flat).some((problem) => problem.severity === "error");
  const { shown } = shownSettings(shape);
  const rows = Math.max(1, portRows(shape));
  const names = [...shape.inputs, ...shape.outputs, ...shape.entries, ...shape.exits, ...shown];
  usePortPlaces(id, names.map((port) => port.name).join());
  const top = regionTop(shape);

  return (
    <div
      className={cx(
        styles.region,
        selected && styles.selected,
        broken && styles.broken,
        target && styles.target,
        entry.mode && styles.muted,
      )}
      style={{ "--category": categoryColour(categoryOf(entry.type)) } as React.CSSProperties}
    >
      <Resizer
        visible={selected && !readOnly}
        minWidth={REGION_MIN_WIDTH}
        minHeight={top + 40}
        onResized={(place) => edit("canvas.edit.resize", (graph, where) => resizeNode(graph, where, id, place))}
      />
      <div className={cx(styles.head, !detail && styles.far)}>
        {!detail && <span className={styles.farTitle}>{shape.title}</span>}
        {!detail && <FarState flat={flat} />}
        <NodeHeader id={id} data={data}>
          {detail && <StateTag flat={flat} inline unit="step" />}
        </NodeHeader>
        <RunLine flat={flat} title={shape.title} />
        <div className={styles.outer} style={{ height: rows * PORT_ROW + 2 * PAD }}>
          <Column ports={shape.inputs} />
          <div className={styles.middle}>
            {detail && (
              <div className={styles.settings} style={{ gridTemplateRows: `repeat(${rows}, ${PORT_ROW}px)` }}>
                {shown.map((setting) => (
                  <SettingRow key={setting.name} path={path} node={id} setting={setting} />
                ))}
              </div>
            )}
            <LossLine flat={flat} title={shape.title} />
          </div>
          <Column ports={shape.outputs} />
        </div>
        <div className={styles.rail}>
          {shape.entries.map((port) => (
            <PortRow key={port.name} port={port} />
          ))}
          <span className={styles.inside}>{t("canvas.region.inside")}</span>
          {shape.exits.map((port) => (
            <PortRow key={port.name} port={port} />
          ))}
        </div>
      </div>
    </div>
  );
});

function Column({ ports }: { ports: PortView[] }) {
  return (
    <div className={styles.column}>
      {ports.map((port) => (
        <PortRow key={port.name} port={port} />
      ))}
    </div>
  );
}
