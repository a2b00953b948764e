import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import styles from "./Chart.module.css";
import { type Marker, rowsOf, type SeriesInfo } from "./chartData";
import { formatNumber } from "./format";
import { useSlow } from "./useSlow";

/** Rows that move while they are read help nobody. */
const RENEW_EVERY = 5000;

interface ChartTableProps {
  series: readonly SeriesInfo[];
  markers: readonly Marker[];
}

/** The same numbers as rows, newest first; long curves are thinned, the CSV file has every step. */
export function ChartTable({ series, markers }: ChartTableProps) {
  const { t, i18n } = useTranslation();
  const slow = useSlow(series, RENEW_EVERY);
  const rows = useMemo(() => rowsOf(slow, markers), [slow, markers]);
  return (
    <section
      className={styles.scroll}
      aria-label={t("curves.table")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
      tabIndex={0}
    >
      <table className={styles.table}>
        <caption>{t("curves.tableNote")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("curves.stepColumn")}</th>
            {slow.map((one) => (
              <th key={one.key} scope="col">
                {one.label}
              </th>
            ))}
            {markers.length > 0 && (
              <th scope="col" className={styles.files}>
                {t("curves.filesColumn")}
              </th>
            )}
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
              {markers.length > 0 && <td className={styles.files}>{row.uris.join(" ")}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
