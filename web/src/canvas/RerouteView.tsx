import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { cx } from "../ui";
import type { CardNode } from "./flow";
import { usePortPlaces } from "./NodeView";
import { Port } from "./Port";
import styles from "./RerouteView.module.css";

/** A point that a wire is led through. */
export const RerouteView = memo(function RerouteView({ id, data, selected }: NodeProps<CardNode>) {
  const [input] = data.shape.inputs;
  const [output] = data.shape.outputs;
  usePortPlaces(id, `${input?.name}:${output?.name}`);
  return (
    <div className={cx(styles.dot, selected && styles.selected)}>
      {input && <Port port={input} className={styles.in} />}
      {output && <Port port={output} className={styles.out} />}
    </div>
  );
});
