import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import styles from "./Chart.module.css";
import { rowsOf, type SeriesInfo } from "./chartData";
import { formatNumber } from "./format";
import { useSlow } from "./useSlow";

/** Rows that move while they are read help nobody. */
const RENEW_EVERY = 5000;

/** The same numbers as rows, newest first; long curves are thinned, the CSV file has every step. */
export function ChartTable({ series }: { series: readonly SeriesInfo[] }) {
  const { t, i18n } = useTranslation();
  const slow = useSlow(series, RENEW_EVERY);
  const rows = useMemo(() => rowsOf(slow), [slow]);
  return (
    <section
      className={styles.scroll}
      aria-label={t("dock.loss.table")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
      tabIndex={0}
    >
      <table className={styles.table}>
        <caption>{t("dock.loss.tableNote")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("dock.loss.stepColumn")}</th>
            {slow.map((one) => (
              <th key={one.key} scope="col">
                {one.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.step}>
              <th scope="row">{row.step}</th>
              {slow.map((one) => {
                const value = row.values[one.key];
                return <td key={one.key}>{value === undefined ? null : formatNumber(value, i18n.language)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
