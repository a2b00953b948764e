import { useTranslation } from "react-i18next";
import type { DataBucket, LoaderReport } from "../api/schema";
import { cx } from "../ui";
import styles from "./DataReport.module.css";

const SHOWN = 200;

interface BucketsProps {
  loader: LoaderReport;
  /** Index of the bucket whose pictures are shown; null for all. */
  chosen: number | null;
  onChoose: (bucket: number | null) => void;
}

/** The sizes that pictures are brought to, as bars and numbers; a click shows the pictures of one. */
export function DataReportBuckets({ loader, chosen, onChoose }: BucketsProps) {
  const { t, i18n } = useTranslation();
  const most = Math.max(1, ...loader.buckets.map((one) => one.count));
  const percent = (share: number) =>
    new Intl.NumberFormat(i18n.language, { style: "percent", maximumFractionDigits: 1 }).format(share);
  const shown = chosen === null ? undefined : loader.buckets[chosen];
  return (
    <>
      <table className={styles.table}>
        <caption>{t("dataReport.bucketsNote")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("dataReport.bucket")}</th>
            <th scope="col" colSpan={2}>
              {t("dataReport.samples")}
            </th>
            <th scope="col">{t("dataReport.cropMean")}</th>
            <th scope="col">{t("dataReport.cropMax")}</th>
            <th scope="col">{t("dataReport.enlarged")}</th>
            <th scope="col">{t("dataReport.leftover")}</th>
          </tr>
        </thead>
        <tbody>
          {loader.buckets.map((one, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two buckets may have one size, and the list never moves
            <tr key={index} className={cx(index === chosen && styles.chosen)}>
              <th scope="row">
                <button
                  type="button"
                  className={styles.size}
                  aria-pressed={index === chosen}
                  aria-label={t("dataReport.choose", { bucket: sizeOf(one) })}
                  onClick={() => onChoose(index === chosen ? null : index)}
                >
                  {sizeOf(one)}
                </button>
              </th>
              <td className={styles.bars}>
                <div className={styles.count} style={{ width: `${(100 * one.count) / most}%` }} />
              </td>
              <td>{one.count}</td>
              <td>{percent(one.crop_mean)}</td>
              <td className={cx(one.crop_max > 0.1 && styles.warning)}>{percent(one.crop_max)}</td>
              <td>{one.enlarged}</td>
              <td>{one.leftover}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown && (
        <p className={styles.ids}>
          <strong>{t("dataReport.ids", { bucket: sizeOf(shown) })}: </strong>
          {shown.ids.slice(0, SHOWN).join(", ")}
          {shown.ids.length > SHOWN && ` ${t("dataReport.more", { count: shown.ids.length - SHOWN })}`}{" "}
          <button type="button" className={styles.size} onClick={() => onChoose(null)}>
            {t("dataReport.all")}
          </button>
        </p>
      )}
    </>
  );
}

function sizeOf(bucket: DataBucket): string {
  return bucket.width > 0 ? `${bucket.width}×${bucket.height}` : "–";
}
