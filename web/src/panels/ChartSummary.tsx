import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { summarise } from "../state/runs/curveViews";
import { VisuallyHidden } from "../ui";
import type { SeriesInfo } from "./chartData";
import { formatNumber } from "./format";
import { useSlow } from "./useSlow";

const SPEAK_EVERY = 10_000;

/** The curves in words, for those who do not see the canvas: said again at most every ten seconds. */
export function ChartSummary({ series }: { series: readonly SeriesInfo[] }) {
  const { t, i18n } = useTranslation();
  const slow = useSlow(series, SPEAK_EVERY);
  const sentences = useMemo(() => {
    const number = (value: number) => formatNumber(value, i18n.language);
    return slow.flatMap(({ label, curve }) => {
      const found = summarise(curve);
      if (!found) return [];
      const { last, lastStep, lowest, lowestStep, trend } = found;
      const values = { label, last: number(last), lastStep, lowest: number(lowest), lowestStep };
      return [t(`curves.said.${trend}`, values)];
    });
  }, [slow, t, i18n.language]);
  return (
    <VisuallyHidden>
      <span role="status">{sentences.join(" ")}</span>
    </VisuallyHidden>
  );
}
