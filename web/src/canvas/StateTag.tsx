import { Check, CircleDashed, CircleX, Database, LoaderCircle, RotateCw, SkipForward } from "lucide-react";
import { useTranslation } from "react-i18next";
import { cx } from "../ui";
import { type Mark, useNodeMark } from "./nodeState";
import styles from "./StateTag.module.css";
import { duration } from "./time";

const ICONS = {
  waiting: CircleDashed,
  running: LoaderCircle,
  done: Check,
  cached: Database,
  failed: CircleX,
  skipped: SkipForward,
  stale: RotateCw,
};

/** Text keys of the states; literal, so that the test of the language files sees them. */
const STATE_KEYS: Record<Mark, string> = {
  waiting: "canvas.state.waiting",
  running: "canvas.state.running",
  done: "canvas.state.done",
  cached: "canvas.state.cached",
  failed: "canvas.state.failed",
  skipped: "canvas.state.skipped",
  stale: "canvas.state.stale",
};

/** State of a node as icon, word and time. It stands above the node, so that a run does not change a node's size. */
export function StateTag({ flat, inline, unit }: { flat: string; inline?: boolean; unit?: "step" }) {
  const { t } = useTranslation();
  const found = useNodeMark(flat);
  if (!found) return null;
  const { mark, run } = found;
  const Icon = ICONS[mark];
  const time = run?.seconds === undefined ? null : duration(run.seconds);
  const counted = run?.value !== undefined && run.total !== undefined && (mark === "running" || unit === "step");
  return (
    <span className={cx(styles.tag, styles[mark], inline && styles.inline)}>
      <Icon size={12} className={styles.icon} aria-hidden />
      <span>{t(STATE_KEYS[mark])}</span>
      {counted && (
        <span className={styles.count}>
          {unit === "step"
            ? t("canvas.state.step", { value: run.value, total: run.total })
            : t("canvas.state.count", { value: run.value, total: run.total })}
        </span>
      )}
      {time && <span className={styles.time}>{time}</span>}
    </span>
  );
}

/** The same from far away: a frame around the node and a large icon, where words would be too small to read. */
export function FarState({ flat }: { flat: string }) {
  const { t } = useTranslation();
  const found = useNodeMark(flat);
  if (!found) return null;
  const Icon = ICONS[found.mark];
  return (
    <span className={cx(styles.far, styles[found.mark])}>
      <Icon size={36} strokeWidth={3} className={styles.icon} role="img" aria-label={t(STATE_KEYS[found.mark])} />
    </span>
  );
}

/** How far a node is, as a thin line under its title; nothing while it does not run. */
export function RunLine({ flat, title }: { flat: string; title: string }) {
  const { t } = useTranslation();
  const found = useNodeMark(flat);
  if (found?.mark !== "running") return null;
  const { value, total } = found.run ?? {};
  const known = value !== undefined && total !== undefined && total > 0;
  return (
    <div
      role="progressbar"
      aria-label={t("canvas.node.progress", { title })}
      aria-valuemin={0}
      aria-valuemax={known ? total : undefined}
      aria-valuenow={known ? value : undefined}
      className={cx(styles.line, !known && styles.open)}
    >
      <div className={styles.fill} style={known ? { transform: `scaleX(${Math.min(1, value / total)})` } : undefined} />
    </div>
  );
}
