import type { ConnectionLineComponentProps } from "@xyflow/react";
import { typeInfo } from "../graph/specs";
import { usePreferences } from "../state/preferences";
import { useSpecs } from "../state/specs";
import { cx, typeColour } from "../ui";
import styles from "./EdgeView.module.css";
import { useCanvas } from "./store";
import { wirePath } from "./wirePath";

/** The wire that is being drawn. */
export function ConnectionLine(props: ConnectionLineComponentProps) {
  const { fromX, fromY, toX, toY, fromPosition, toPosition, fromHandle, connectionStatus } = props;
  const style = usePreferences((state) => state.edgeStyle);
  const type = useCanvas((state) => state.connecting?.type);
  const color = useSpecs(({ index }) => (index && type ? typeInfo(index, type)?.color : undefined));
  const from = { sourceX: fromX, sourceY: fromY, sourcePosition: fromPosition };
  const to = { targetX: toX, targetY: toY, targetPosition: toPosition };
  const ends =
    fromHandle.type === "source"
      ? { ...from, ...to }
      : {
          sourceX: toX,
          sourceY: toY,
          sourcePosition: toPosition,
          targetX: fromX,
          targetY: fromY,
          targetPosition: fromPosition,
        };
  const [path] = wirePath(style, ends);
  return (
    <path
      d={path}
      className={cx("react-flow__connection-path", styles.wire, connectionStatus === "invalid" && styles.muted)}
      style={{ stroke: typeColour(color) }}
    />
  );
}
