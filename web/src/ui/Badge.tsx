import type { ReactNode } from "react";
import styles from "./Badge.module.css";
import { cx } from "./cx";

export type Tone = "neutral" | "accent" | "ok" | "warn" | "error" | "running" | "cached";

/** A word or a number with a state. Give an icon where the colour means something. */
export function Badge({
  tone = "neutral",
  icon,
  children,
  className,
}: {
  tone?: Tone;
  icon?: ReactNode;
  children?: ReactNode;
  className?: string;
}) {
  return (
    <span className={cx(styles.badge, styles[tone], className)}>
      {icon}
      {children}
    </span>
  );
}

/** What a panel says when it has nothing to show, and what to do about it. */
export function EmptyState({
  icon,
  title,
  children,
  action,
}: {
  icon?: ReactNode;
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className={styles.empty}>
      {icon}
      <p className={styles.emptyTitle}>{title}</p>
      {children && <div className={styles.emptyText}>{children}</div>}
      {action}
    </div>
  );
}
