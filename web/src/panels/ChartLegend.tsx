import { X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useRuns } from "../state/run";
import { lowerBound } from "../state/runs/curve";
import { cx, IconButton } from "../ui";
import styles from "./Chart.module.css";
import { COLOURS, type SeriesInfo } from "./chartData";
import { useChartView } from "./chartView";
import { formatNumber } from "./format";

/** One button a series: its line, its name, its value at the pointer or its last one. A click hides or shows it. */
export function ChartLegend({ series, step }: { series: readonly SeriesInfo[]; step: number | null }) {
  const { t, i18n } = useTranslation();
  const { hidden, toggle } = useChartView();
  return (
    <ul className={styles.legend} aria-label={t("curves.series")}>
      {series.map((one) => {
        const value = valueAt(one, step);
        const on = !hidden.has(one.name);
        return (
          <li key={one.key} className={styles.entry}>
            <button
              type="button"
              className={cx(styles.series, !on && styles.off)}
              aria-pressed={on}
              title={one.label}
              onClick={() => toggle(one.name)}
            >
              <svg width="18" height="8" aria-hidden="true">
                <line
                  x1="0"
                  x2="18"
                  y1="4"
                  y2="4"
                  stroke={`var(--series-${one.colour % COLOURS})`}
                  strokeWidth={one.axis === "rate" ? 1.5 : 2.5}
                  strokeDasharray={one.overlaid ? "5 3" : undefined}
                />
              </svg>
              <span className={styles.label}>{one.name}</span>
              {one.run !== "" && <span className={styles.run}>{one.run}</span>}
              {value !== undefined && <span className={styles.number}>{formatNumber(value, i18n.language)}</span>}
            </button>
            {one.overlaid && (
              <IconButton
                size="s"
                label={t("curves.remove", { title: one.label })}
                icon={<X size={12} />}
                onClick={() => useRuns.getState().toggleCompare(one.job)}
              />
            )}
          </li>
        );
      })}
      {step !== null && <li className={styles.step}>{t("curves.step", { step })}</li>}
    </ul>
  );
}

/** The last value at or before a step. */
function valueAt({ curve: { steps, values } }: SeriesInfo, step: number | null): number | undefined {
  if (step === null) return values.at(-1);
  const at = lowerBound(steps, step);
  return steps[at] === step ? values[at] : values[at - 1];
}
