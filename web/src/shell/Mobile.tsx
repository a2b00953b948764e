import { Activity, Images, ListTree, Square, Workflow } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Canvas } from "../canvas/Canvas";
import { Outline } from "../panels/Outline";
import { RunStatus } from "../panels/RunStatus";
import { Runs } from "../panels/Runs";
import { historyOf, useJob, useQueue } from "../state/queue";
import { cancelRun, useRuns } from "../state/run";
import { useSession } from "../state/session";
import { useTabs } from "../state/tabs";
import { Button, cx, Select, Spinner } from "../ui";
import { Breadcrumb } from "./Breadcrumb";
import { titleOf } from "./documents";
import { ErrorBoundary } from "./ErrorBoundary";
import { Heading } from "./Heading";
import { LanguageMenu, LookMenu } from "./LookMenus";
import styles from "./Mobile.module.css";
import { attempt } from "./report";

const Chart = lazy(() => import("../panels/Chart").then(({ Chart }) => ({ default: Chart })));
const Gallery = lazy(() => import("../panels/Gallery").then(({ Gallery }) => ({ default: Gallery })));

const PAGES = ["graph", "outline", "runs", "gallery"] as const;
type Page = (typeof PAGES)[number];
const ICONS = { graph: Workflow, outline: ListTree, runs: Activity, gallery: Images };

/** A phone: look at the graph, watch a run, see its pictures, cancel it. Nothing is edited here. */
export function Mobile() {
  const { t } = useTranslation();
  const [page, setPage] = useState<Page>("graph");
  const tabs = useTabs((state) => state.tabs);
  const active = useTabs((state) => state.active);
  const activate = useTabs((state) => state.activate);
  const job = useJob(useRuns((state) => state.active));
  const open = job?.status === "running" || job?.status === "queued";

  useLastRun();
  const wish = useSession((state) => state.focus?.at);
  useEffect(() => {
    if (wish !== undefined) setPage("graph");
  }, [wish]);

  const cancel = async () => {
    if (!job) return;
    const answer = await useSession.getState().openDialog("confirm", {
      title: t("shell.cancel.title", { title: job.title }),
      text: t("shell.cancel.text"),
      confirm: t("shell.cancel.confirm"),
      danger: true,
    });
    if (answer) await cancelRun(job.id);
  };

  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <Heading />
        <Select
          className={styles.title}
          label={t("shell.tabs")}
          value={active}
          onChange={activate}
          options={tabs.map((tab) => ({ value: tab.id, label: titleOf(tab.doc.getState()) }))}
        />
        <LanguageMenu />
        <LookMenu />
      </header>
      {job && (
        <div className={styles.run}>
          <RunStatus status={job.status} />
          <span className={styles.runTitle}>{job.title}</span>
          {open && (
            <Button variant="danger" icon={<Square size={13} fill="currentColor" />} onClick={() => attempt(cancel)}>
              {t("shell.cancel")}
            </Button>
          )}
        </div>
      )}
      <main className={styles.main} aria-label={t(`shell.page.${page}`)}>
        <ErrorBoundary key={page} part={t(`shell.page.${page}`)}>
          <Suspense fallback={<Spinner />}>
            {page === "graph" && (
              <>
                <Breadcrumb />
                <div className={styles.fill}>
                  <Canvas readOnly />
                </div>
              </>
            )}
            {page === "outline" && <Outline />}
            {page === "runs" && (
              <div className={styles.scroll}>
                {job && (
                  <section className={styles.chart} aria-label={t("shell.show.loss")}>
                    <Chart />
                  </section>
                )}
                <Runs />
              </div>
            )}
            {page === "gallery" && <Gallery />}
          </Suspense>
        </ErrorBoundary>
      </main>
      <nav className={styles.nav} aria-label={t("shell.pages")}>
        {PAGES.map((one) => {
          const Icon = ICONS[one];
          return (
            <button
              key={one}
              type="button"
              className={cx(styles.tab, one === page && styles.active)}
              aria-current={one === page ? "page" : undefined}
              onClick={() => setPage(one)}
            >
              <Icon size={18} aria-hidden />
              {t(`shell.page.${one}`)}
            </button>
          );
        })}
      </nav>
    </div>
  );
}

/** Who looks from a phone wants to know how the last run went. */
function useLastRun(): void {
  const active = useRuns((state) => state.active);
  const last = useQueue((state) => (state.known ? historyOf(state.jobs)[0]?.id : undefined));
  useEffect(() => {
    if (active === null && last !== undefined) useRuns.getState().follow(last, false);
  }, [active, last]);
}
