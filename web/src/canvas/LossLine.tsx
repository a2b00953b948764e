import { useTranslation } from "react-i18next";
import { useRuns } from "../state/run";
import { useSession } from "../state/session";
import { cx } from "../ui";
import styles from "./LossLine.module.css";
import { sparkline } from "./sparkline";

const WIDTH = 132;
const HEIGHT = 22;

/** The loss of a training loop as a small curve in its header; a click shows the chart. */
export function LossLine({ flat, title }: { flat: string; title: string }) {
  const { t } = useTranslation();
  const curve = useRuns((state) => (state.nodes[flat] ? state.series[flat]?.loss : undefined));
  const path = curve && curve.values.length > 1 ? sparkline(curve.values, WIDTH, HEIGHT) : null;
  const last = curve?.values.at(-1);
  if (!path || last === undefined) return null;
  return (
    <button
      type="button"
      className={cx(styles.chart, "nodrag")}
      aria-label={t("canvas.region.loss", { title, value: last.toPrecision(3) })}
      onClick={() => useSession.getState().showDock("loss")}
    >
      <svg width={WIDTH} height={HEIGHT} aria-hidden className={styles.curve}>
        <path d={path} />
      </svg>
      <span className={styles.value}>{last.toPrecision(3)}</span>
    </button>
  );
}
