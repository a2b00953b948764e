import { choiceText } from "./EnumField";
import type { WidgetProps } from "./types";
import styles from "./widgets.module.css";

/** A setting that can have one value only: shown, not edited. */
export function ConstField({ id, value, describedBy }: WidgetProps) {
  return (
    <output id={id} className={styles.const} aria-describedby={describedBy}>
      {choiceText(value)}
    </output>
  );
}
