import type { ReactNode } from "react";
import styles from "./Toggles.module.css";

/** A small control with its text beside it, which switches it too; the control alone without a text. */
export function Labelled({ id, label, children }: { id: string; label: ReactNode; children: ReactNode }) {
  if (!label) return children;
  return (
    <span className={styles.row}>
      {children}
      <label htmlFor={id}>{label}</label>
    </span>
  );
}
