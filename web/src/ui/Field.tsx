import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Field.module.css";

export interface FieldProps {
  /** Id of the control that the label names. */
  htmlFor?: string;
  label: ReactNode;
  /** Beside the label: a reset button, a badge. */
  action?: ReactNode;
  help?: ReactNode;
  error?: ReactNode;
  className?: string;
  children: ReactNode;
}

/** A label above a control, help and error below it. */
export function Field({ htmlFor, label, action, help, error, className, children }: FieldProps) {
  return (
    <div className={cx(styles.field, className)}>
      <div className={styles.label}>
        <label htmlFor={htmlFor}>{label}</label>
        {action}
      </div>
      {children}
      {error && (
        <p className={styles.error} role="alert">
          <CircleAlert size={13} />
          <span>{error}</span>
        </p>
      )}
      {help && <p className={styles.help}>{help}</p>}
    </div>
  );
}
