import {
  ChartLine,
  ChevronDown,
  ChevronUp,
  CircleAlert,
  Database,
  DatabaseZap,
  Images,
  ListVideo,
  ScrollText,
} from "lucide-react";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { historyOf, isOpen, queueOf, useQueue } from "../state/queue";
import { makersOf, showRun, useRuns } from "../state/run";
import { type DockTab, useSession } from "../state/session";
import { setStrip } from "../state/strip";
import { Badge, Button, IconButton, Select, Spinner, type TabItem, TabPanel, Tabs, type Tone } from "../ui";
import styles from "./Dock.module.css";
import { formatTime } from "./format";
import { Meter } from "./Meter";
import { picturesOf } from "./pictures";
import { useProblems } from "./useProblems";

const Problems = lazy(() => import("./Problems").then(({ Problems }) => ({ default: Problems })));
const DataReport = lazy(() => import("./DataReport").then(({ DataReport }) => ({ default: DataReport })));
const Runs = lazy(() => import("./Runs").then(({ Runs }) => ({ default: Runs })));
const Chart = lazy(() => import("./Chart").then(({ Chart }) => ({ default: Chart })));
const Gallery = lazy(() => import("./Gallery").then(({ Gallery }) => ({ default: Gallery })));
const Log = lazy(() => import("./Log").then(({ Log }) => ({ default: Log })));

const PANELS: Record<DockTab, () => ReactNode> = {
  problems: () => <Problems />,
  data: () => <DataReport />,
  runs: () => <Runs />,
  loss: () => <Chart />,
  gallery: () => <Gallery />,
  log: () => <Log />,
};
const ICONS = {
  problems: CircleAlert,
  data: Database,
  runs: ListVideo,
  loss: ChartLine,
  gallery: Images,
  log: ScrollText,
};
/** What these show is that of one run, which is chosen beside them. */
const OF_A_RUN: readonly DockTab[] = ["loss", "gallery", "log"];

/** Problems, runs, and what the shown run measures, paints and says. It fills the place that it is given; closed it is its row of tabs. */
export function Dock() {
  const { t } = useTranslation();
  const tab = useSession((state) => state.dock.tab);
  const open = useSession((state) => state.dock.open || state.compact);
  const compact = useSession((state) => state.compact);
  const { showDock, toggleDock } = useSession.getState();
  const items = useItems();
  return (
    <Tabs<DockTab>
      className={styles.dock}
      label={t("dock.title")}
      // none is chosen while it is closed, so that a click on any of them opens it
      value={open ? tab : ("" as DockTab)}
      onChange={showDock}
      items={items}
      actions={
        <>
          {open && OF_A_RUN.includes(tab) && <RunPicker />}
          {!compact && <span ref={setStrip} className={styles.strip} />}
          <Meter />
          {!compact && (
            <IconButton
              size="s"
              label={t(open ? "dock.close" : "dock.open")}
              icon={open ? <ChevronDown size={15} /> : <ChevronUp size={15} />}
              onClick={toggleDock}
            />
          )}
        </>
      }
    >
      {items.map(({ value }) => (
        <TabPanel key={value} value={value} className={styles.panel}>
          {OF_A_RUN.includes(value) && <ServedFrom />}
          <div className={styles.content}>
            <Suspense fallback={<Spinner />}>{PANELS[value]()}</Suspense>
          </div>
        </TabPanel>
      ))}
    </Tabs>
  );
}

function useItems(): TabItem<DockTab>[] {
  const { t } = useTranslation();
  const groups = useProblems();
  const problems = groups.reduce((sum, group) => sum + group.problems.length, 0);
  const worst: Tone = groups.every((group) => group.source === "warnings") ? "warn" : "error";
  const open = useQueue((state) => state.jobs.filter(isOpen).length);
  const artifacts = useRuns((state) => state.artifacts);
  const pictures = useMemo(() => picturesOf(artifacts).length, [artifacts]);
  const curves = useRuns((state) => Object.values(state.series).reduce((sum, own) => sum + Object.keys(own).length, 0));
  const lines = useRuns((state) => state.log.length);
  const counts: Record<DockTab, [number, Tone]> = {
    problems: [problems, worst],
    data: [0, "neutral"],
    runs: [open, "running"],
    loss: [curves, "neutral"],
    gallery: [pictures, "neutral"],
    log: [lines, "neutral"],
  };
  return (Object.keys(ICONS) as DockTab[]).map((value) => {
    const Icon = ICONS[value];
    const [count, tone] = counts[value];
    return {
      value,
      label: <span className={styles.label}>{t(`dock.${value}`)}</span>,
      icon: <Icon size={14} aria-hidden />,
      badge: count > 0 && <Badge tone={tone}>{count}</Badge>,
    };
  });
}

/** What is shown was made by an earlier run: which one. A click shows that. */
function ServedFrom() {
  const { t, i18n } = useTranslation();
  const maker = useRuns(({ active, runs }) => makersOf(runs[active ?? ""])[0]);
  const job = useQueue(({ jobs }) => jobs.find((one) => one.id === maker));
  if (maker === undefined) return null;
  const time = job ? formatTime(job.started ?? job.created, i18n.language) : maker;
  return (
    <div className={styles.served}>
      <Button size="s" variant="ghost" icon={<DatabaseZap size={13} />} onClick={() => job && showRun(job)}>
        {t("dock.served.from", { time })}
      </Button>
      <span>{t("dock.served.body")}</span>
    </div>
  );
}

const LISTED = 30;

/** Which run the panels show. */
function RunPicker() {
  const { t, i18n } = useTranslation();
  const active = useRuns((state) => state.active);
  const jobs = useQueue((state) => state.jobs);
  const options = useMemo(() => {
    const list = [...queueOf(jobs), ...historyOf(jobs)];
    const shown = list.find((job) => job.id === active);
    const first = list.slice(0, LISTED);
    return (shown && !first.includes(shown) ? [...first, shown] : first).map((job) => ({
      value: job.id,
      label: job.title || job.id,
      description: `${t(`dock.status.${job.status}`)}, ${formatTime(job.started ?? job.created, i18n.language)}`,
    }));
  }, [jobs, active, t, i18n.language]);
  if (options.length === 0) return null;
  return (
    <Select
      size="s"
      className={styles.picker}
      label={t("dock.shownRun")}
      placeholder={t("dock.chooseRun")}
      value={active ?? ""}
      onChange={(id) => {
        const job = jobs.find((one) => one.id === id);
        if (job) showRun(job);
      }}
      options={options}
    />
  );
}
