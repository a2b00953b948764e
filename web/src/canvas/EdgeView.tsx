import { EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import { Plus } from "lucide-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { flatId } from "../graph/body";
import { useCheck } from "../state/check";
import { usePreferences } from "../state/preferences";
import { currentPath, useDoc } from "../state/tabs";
import { cx, typeColour } from "../ui";
import styles from "./EdgeView.module.css";
import type { WireEdge } from "./flow";
import { hoverWire, openMenu, useCanvas } from "./store";
import { useDetail } from "./useDetail";
import { useWay } from "./ways";
import { atMarks, betweenTargets, cornerPath, wirePath } from "./wirePath";

const CHIP_ROOM = 190;

/** A wire in the colour of its type; hovered or selected it tells what flows, and has its menu in the middle. */
export const EdgeView = memo(function EdgeView({
  id,
  data,
  selected,
  interactionWidth = 16,
  ...ends
}: EdgeProps<WireEdge>) {
  const style = usePreferences((state) => state.edgeStyle);
  const hovered = useCanvas((state) => state.hoverWire === id);
  const splice = useCanvas((state) => state.dropWire === id);
  const faded = useCanvas(({ connecting }) => connecting !== null && connecting.edge !== id);
  const near = useDetail();
  const marks = atMarks(ends);
  const corners = useWay(id, {
    ends: marks,
    style,
    from: ends.source,
    source: data?.source ?? ends.source,
    to: ends.target,
  });
  const [path, x, y] = corners ? cornerPath(style, corners) : wirePath(style, marks);
  const stroke = typeColour(data?.color);
  const short = Math.hypot(ends.targetX - ends.sourceX, ends.targetY - ends.sourceY) < CHIP_ROOM;
  return (
    <>
      {(selected || hovered || splice) && <path d={path} className={cx(styles.halo, selected && styles.chosen)} />}
      <path
        d={path}
        className={cx(
          "react-flow__edge-path",
          styles.wire,
          selected && styles.selected,
          splice && styles.splice,
          !near && styles.far,
          data?.muted && styles.muted,
          faded && styles.faded,
        )}
        style={{ stroke }}
      />
      {/* As far as the targets of the ports and no further: a press on a port draws a new wire. */}
      <path
        d={(corners ? cornerPath(style, betweenTargets(corners)) : wirePath(style, ends))[0]}
        className="react-flow__edge-interaction"
        fill="none"
        strokeOpacity={0}
        strokeWidth={interactionWidth}
      />
      {near && (selected || hovered) && data && (
        <EdgeLabelRenderer>
          <WireChip id={id} source={data.source} type={data.type} index={data.index} x={x} y={y} short={short} />
        </EdgeLabelRenderer>
      )}
    </>
  );
});

interface ChipProps {
  id: string;
  source: string;
  type: string;
  index: number | null;
  x: number;
  y: number;
  /** Between close neighbours only the button, so that no port is covered. */
  short: boolean;
}

/** Type and known facts of what flows through a wire, and the button of its menu. */
function WireChip({ id, source, type, index, x, y, short }: ChipProps) {
  const { t } = useTranslation();
  const readOnly = useDoc((doc) => doc.readOnly);
  const facts = useCheck((state) => state.check?.facts[flatId(currentPath(), source)]);
  const known = Object.entries(facts ?? {}).filter(([, value]) => value !== null && value !== "auto");
  return (
    // Keeps the chip open while the pointer goes from the wire to the button.
    // biome-ignore lint/a11y/noStaticElementInteractions: a resting place of the pointer, not a control
    <div
      className={cx(styles.chip, "nodrag", "nopan")}
      // the button stands on the wire, so that the pointer finds it; the text beside it lets ports below it be taken
      style={{ transform: `translate(${readOnly ? "-50%" : "-13px"}, -50%) translate(${x}px, ${y}px)` }}
      onMouseEnter={() => hoverWire(id)}
      onMouseLeave={() => hoverWire(null)}
    >
      {!readOnly && (
        <button
          type="button"
          className={styles.button}
          aria-label={t("canvas.wire.menu", { source, target: id })}
          aria-haspopup="menu"
          onClick={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            openMenu({ kind: "edge", at: { x: box.left, y: box.bottom }, canvas: [x, y], id });
          }}
        >
          <Plus size={13} aria-hidden />
        </button>
      )}
      {!short && (
        <span className={styles.text}>
          {index !== null && <span className={styles.index}>{index + 1}</span>}
          {type}
          {known.map(([name, value]) => (
            <span key={name} className={styles.fact}>
              {typeof value === "boolean" ? (value ? name : "") : String(value)}
            </span>
          ))}
        </span>
      )}
    </div>
  );
}
