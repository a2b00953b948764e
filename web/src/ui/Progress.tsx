import { LoaderCircle } from "lucide-react";
import { cx } from "./cx";
import styles from "./Progress.module.css";

/** How far something is; without `value`, that it goes on. */
export function Progress({
  value,
  max = 1,
  label,
  className,
}: {
  value?: number;
  max?: number;
  label: string;
  className?: string;
}) {
  const known = value !== undefined && max > 0;
  const share = known ? Math.min(1, Math.max(0, value / max)) : 0;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={known ? max : undefined}
      aria-valuenow={known ? value : undefined}
      className={cx(styles.bar, !known && styles.open, className)}
    >
      <div className={styles.fill} style={known ? { transform: `scaleX(${share})` } : undefined} />
    </div>
  );
}

/** Something goes on; the text beside it says what. */
export function Spinner({ size = 14 }: { size?: number }) {
  return <LoaderCircle size={size} className={styles.spin} aria-hidden />;
}
