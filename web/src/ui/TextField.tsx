import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Field.module.css";

export interface TextFieldProps extends Omit<ComponentProps<"input">, "size"> {
  size?: "s" | "m";
  invalid?: boolean;
  mono?: boolean;
  /** An icon inside, at the left. */
  lead?: ReactNode;
  /** A unit, a shortcut or small buttons inside, at the right. */
  trail?: ReactNode;
}

/** A line of text. Name it: `aria-label`, or `id` with a `<label>` or `Field`. */
export function TextField({ size = "m", invalid, mono, lead, trail, className, ...rest }: TextFieldProps) {
  const input = (
    <input
      type="text"
      autoComplete="off"
      spellCheck={false}
      className={cx(styles.input, size === "s" && styles.s, mono && styles.mono, className)}
      aria-invalid={invalid || undefined}
      {...rest}
    />
  );
  if (!lead && !trail) return input;
  return (
    <span className={styles.wrap}>
      {lead && <span className={styles.lead}>{lead}</span>}
      {input}
      {trail && <span className={styles.trail}>{trail}</span>}
    </span>
  );
}

export interface TextAreaProps extends ComponentProps<"textarea"> {
  size?: "s" | "m";
  invalid?: boolean;
  mono?: boolean;
}

/** Several lines of text. */
export function TextArea({ size = "m", invalid, mono, className, ...rest }: TextAreaProps) {
  return (
    <textarea
      className={cx(styles.area, size === "s" && styles.s, mono && styles.mono, className)}
      aria-invalid={invalid || undefined}
      spellCheck={false}
      {...rest}
    />
  );
}
