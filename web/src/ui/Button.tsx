import type { ComponentProps, ReactNode } from "react";
import styles from "./Button.module.css";
import { cx } from "./cx";
import { Spinner } from "./Progress";
import { Tooltip, type TooltipSide } from "./Tooltip";

export type ButtonVariant = "primary" | "secondary" | "ghost" | "danger";

export interface ButtonProps extends ComponentProps<"button"> {
  variant?: ButtonVariant;
  size?: "s" | "m";
  /** Drawn before the text, 14-16 px. */
  icon?: ReactNode;
  /** Shows a spinner in place of the icon and refuses clicks. */
  loading?: boolean;
  full?: boolean;
}

/** A button with text. */
export function Button({
  variant = "secondary",
  size = "m",
  icon,
  loading,
  full,
  className,
  children,
  disabled,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      className={cx(styles.button, styles[variant], size === "s" && styles.s, full && styles.full, className)}
      disabled={disabled || loading}
      aria-busy={loading || undefined}
      {...rest}
    >
      {loading ? <Spinner /> : icon}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ComponentProps<"button">, "children"> {
  /** Its name for everybody: tooltip and screen reader. */
  label: string;
  icon: ReactNode;
  /** Keys shown in the tooltip, "Ctrl+Enter". */
  shortcut?: string;
  /** Makes it a toggle. */
  pressed?: boolean;
  variant?: ButtonVariant;
  size?: "s" | "m";
  side?: TooltipSide;
}

/** A square button with an icon, a name and a tooltip. */
export function IconButton({
  label,
  icon,
  shortcut,
  pressed,
  variant = "ghost",
  size = "m",
  side,
  className,
  ...rest
}: IconButtonProps) {
  return (
    <Tooltip content={label} shortcut={shortcut} side={side}>
      <button
        type="button"
        aria-label={label}
        aria-pressed={pressed}
        className={cx(styles.button, styles[variant], styles.icon, size === "s" && styles.s, className)}
        {...rest}
      >
        {icon}
      </button>
    </Tooltip>
  );
}
