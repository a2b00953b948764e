import { NodeResizer } from "@xyflow/react";
import styles from "./Resizer.module.css";

export interface ResizerProps {
  visible: boolean;
  minWidth: number;
  minHeight: number;
  /** At the end of the gesture: x, y, width, height in whole units. */
  onResized: (place: [number, number, number, number]) => void;
}

/** Edges and corners by which a box of the canvas is made larger or smaller. */
export function Resizer({ visible, minWidth, minHeight, onResized }: ResizerProps) {
  return (
    <NodeResizer
      isVisible={visible}
      minWidth={minWidth}
      minHeight={minHeight}
      lineClassName={styles.edge}
      handleClassName={styles.corner}
      onResizeEnd={(_, { x, y, width, height }) =>
        onResized([Math.round(x), Math.round(y), Math.round(width), Math.round(height)])
      }
    />
  );
}
