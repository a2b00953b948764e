import { ChartLine, ChevronLeft, ChevronRight, Download, Maximize2, Table2, X, ZoomIn, ZoomOut } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useShallow } from "zustand/react/shallow";
import { api } from "../api/client";
import type { Artifact } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/curves.json";
import { usePreferences } from "../state/preferences";
import { useQueue } from "../state/queue";
import { type Curves, useRuns, viewOf } from "../state/run";
import { Button, EmptyState, IconButton, Slider, Spinner, Switch } from "../ui";
import styles from "./Chart.module.css";
import { ChartLegend } from "./ChartLegend";
import { ChartMarkers } from "./ChartMarkers";
import { ChartSummary } from "./ChartSummary";
import { ChartTable } from "./ChartTable";
import { checkpointsOf, linesOf, markersOf, type RunCurves, type SeriesInfo, seriesOf } from "./chartData";
import { moved, useChartView, type View, zoomed } from "./chartView";
import { formatTime } from "./format";
import { GalleryViewer } from "./GalleryViewer";
import { picturesOf } from "./pictures";
import { useSlow } from "./useSlow";

addTexts(english);

const ChartPlot = lazy(() => import("./ChartPlot"));

const NO_CURVES: Curves = {};
const NO_NODES = {};
/** The chart is drawn anew at most so often while points come in. */
const DRAW_EVERY = 200;

function useRunCurves(): RunCurves[] {
  const { t, i18n } = useTranslation();
  const active = useRuns((state) => state.active);
  const compare = useRuns((state) => state.compare);
  const runs = useSlow(
    useRuns((state) => state.runs),
    DRAW_EVERY,
  );
  const jobs = useQueue((state) => state.jobs);
  return useMemo(() => {
    const ids = active === null ? compare : [active, ...compare.filter((id) => id !== active)];
    return ids.map((id) => {
      const job = jobs.find((one) => one.id === id);
      const title = job?.title || t("dock.run", { id });
      // Runs of one graph have one title: the time tells them apart.
      const time = job && ids.length > 1 ? `${formatTime(job.started ?? job.created, i18n.language)} ` : "";
      return { job: id, title: time + title, curves: viewOf(id, runs)?.curves ?? NO_CURVES };
    });
  }, [active, compare, runs, jobs, t, i18n.language]);
}

/** The curves of the shown run and of those laid over it. */
export function Chart() {
  const { t, i18n } = useTranslation();
  const runs = useRunCurves();
  const artifacts = useRuns((state) => state.artifacts);
  const { smoothing, logScale } = usePreferences();
  const { view, hidden, table, revealed, setView } = useChartView();
  const [step, setStep] = useState<number | null>(null);
  const [viewed, setViewed] = useState<readonly Artifact[] | null>(null);
  const all = useMemo(() => seriesOf(runs), [runs]);
  const series = useMemo(() => all.filter((one) => !hidden.has(one.name)), [all, hidden]);
  const lines = useMemo(() => linesOf(series, { smoothing, log: logScale, view }), [series, smoothing, logScale, view]);
  const checkpoints = useRuns(
    useShallow(({ active, runs }) => checkpointsOf(viewOf(active ?? "", runs)?.nodes ?? NO_NODES)),
  );
  const markers = useMemo(() => markersOf(artifacts, checkpoints), [artifacts, checkpoints]);
  const active = runs[0];

  if (all.length === 0 || !active) {
    const title = t(active ? "curves.empty" : "dock.noRun");
    return <EmptyState icon={<ChartLine size={18} />} title={title} />;
  }
  return (
    <div className={styles.panel}>
      <Toolbar series={series} job={active.job} />
      <ChartLegend series={all} step={step} />
      <figure className={styles.figure} aria-label={t("curves.figure", { title: active.title })}>
        {table ? (
          <ChartTable series={series} markers={markers} />
        ) : (
          <Suspense fallback={<EmptyState icon={<Spinner size={18} />} title={t("dock.loading")} />}>
            <ChartPlot
              lines={lines}
              log={logScale}
              view={view}
              onView={setView}
              onStep={setStep}
              markers={markers}
              revealed={revealed}
              language={i18n.language}
              renderMarkers={(placed) => <ChartMarkers placed={placed} onOpen={setViewed} />}
            />
          </Suspense>
        )}
        <ChartSummary series={series} />
      </figure>
      {viewed && <GalleryViewer pictures={picturesOf(viewed)} start={0} onClose={() => setViewed(null)} />}
    </div>
  );
}

function Toolbar({ series, job }: { series: readonly SeriesInfo[]; job: string }) {
  const { t, i18n } = useTranslation();
  const { smoothing, logScale, set, toggle } = usePreferences();
  const { view, table, revealed, setView, setTable, reveal } = useChartView();
  const compare = useRuns((state) => state.compare);
  const all = extent(series);
  const shown = new Intl.NumberFormat(i18n.language, { style: "percent" }).format(smoothing);
  return (
    <div className={styles.bar}>
      <span className={styles.smoothing}>
        <span>{t("curves.smoothing")}</span>
        <Slider
          className={styles.slider}
          label={t("curves.smoothing")}
          value={smoothing}
          min={0}
          max={0.99}
          step={0.01}
          valueText={shown}
          onChange={(value) => set("smoothing", value)}
        />
        <span className={styles.number}>{shown}</span>
      </span>
      <Switch checked={logScale} onChange={() => toggle("logScale")} label={t("curves.log")} />
      <span className={styles.space} />
      {revealed !== null && (
        <Button size="s" icon={<X size={13} />} onClick={() => reveal(null)}>
          {t("curves.step", { step: revealed })}
        </Button>
      )}
      {compare.length > 0 && (
        <Button size="s" icon={<X size={13} />} onClick={() => useRuns.getState().setCompare([])}>
          {t("curves.overlaid", { number: compare.length })}
        </Button>
      )}
      {!table && (
        <>
          {view && (
            <>
              <IconButton
                size="s"
                label={t("curves.left")}
                icon={<ChevronLeft size={14} />}
                onClick={() => setView(moved(view, all, -0.5))}
              />
              <IconButton
                size="s"
                label={t("curves.right")}
                icon={<ChevronRight size={14} />}
                onClick={() => setView(moved(view, all, 0.5))}
              />
              <IconButton
                size="s"
                label={t("curves.out")}
                icon={<ZoomOut size={14} />}
                onClick={() => setView(zoomed(view, all, 2))}
              />
              <IconButton
                size="s"
                label={t("curves.all")}
                icon={<Maximize2 size={14} />}
                onClick={() => setView(null)}
              />
            </>
          )}
          <IconButton
            size="s"
            label={t("curves.in")}
            icon={<ZoomIn size={14} />}
            onClick={() => setView(zoomed(view, all, 0.5))}
          />
        </>
      )}
      <IconButton
        size="s"
        label={t("curves.table")}
        icon={<Table2 size={14} />}
        pressed={table}
        onClick={() => setTable(!table)}
      />
      <a className={styles.link} href={api.seriesCsvUrl(job)} download={`${job}.csv`} aria-label={t("curves.csvName")}>
        <Download size={13} aria-hidden />
        {t("curves.csv")}
      </a>
    </div>
  );
}

function extent(series: readonly SeriesInfo[]): View {
  const ends = series.flatMap(({ curve }) => [curve.steps[0] ?? [], curve.steps.at(-1) ?? []].flat());
  return ends.length === 0 ? [0, 1] : [Math.min(...ends), Math.max(...ends)];
}
