import { Columns2, History, ListX } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/history.json";
import { attempt } from "../shell/report";
import { historyOf, useQueue } from "../state/queue";
import { Button, EmptyState } from "../ui";
import { CompareRuns } from "./CompareRuns";
import { Queue } from "./Queue";
import { RunRow } from "./RunRow";
import styles from "./Runs.module.css";

addTexts(english);

/** What runs, what waits, and what ran. */
export function Runs() {
  const { t } = useTranslation();
  const jobs = useQueue((state) => state.jobs);
  const more = useQueue((state) => state.more);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [comparing, setComparing] = useState<readonly [Job, Job] | null>(null);
  const [loading, setLoading] = useState(false);
  const past = useMemo(() => historyOf(jobs), [jobs]);
  // The last two that were chosen are compared; what is gone is not chosen any more.
  const pair = chosen.flatMap((id) => jobs.find((job) => job.id === id) ?? []);
  const choose = useCallback((id: string, on: boolean) => {
    setChosen((before) => [...before.filter((one) => one !== id), ...(on ? [id] : [])].slice(-2));
  }, []);
  const loadMore = async () => {
    setLoading(true);
    await attempt(() => useQueue.getState().loadMore());
    setLoading(false);
  };

  const row = (job: Job) => (
    <RunRow key={job.id} job={job} chosen={chosen.includes(job.id)} onChoose={(on) => choose(job.id, on)} />
  );
  const [first, second] = pair;
  return (
    <div className={styles.panel}>
      {jobs.length === 0 && <EmptyState icon={<History size={18} />} title={t("history.none")} />}
      {first && (
        <div className={styles.bar}>
          <span role="status">{t(second ? "history.chosenTwo" : "history.chosenOne")}</span>
          <Button
            size="s"
            variant="primary"
            icon={<Columns2 size={13} />}
            disabled={!second}
            onClick={() => second && setComparing(first.created <= second.created ? [first, second] : [second, first])}
          >
            {t("history.compare")}
          </Button>
          <Button size="s" variant="ghost" icon={<ListX size={13} />} onClick={() => setChosen([])}>
            {t("history.clear")}
          </Button>
        </div>
      )}
      <Queue jobs={jobs} row={row} />
      {past.length > 0 && (
        <section aria-label={t("history.history")}>
          <h3 className={styles.heading}>{t("history.history")}</h3>
          <ul>
            {past.map((job) => (
              <li key={job.id}>{row(job)}</li>
            ))}
          </ul>
        </section>
      )}
      {more && (
        <div className={styles.more}>
          <Button size="s" loading={loading} onClick={loadMore}>
            {t("history.more")}
          </Button>
        </div>
      )}
      {comparing && <CompareRuns jobs={comparing} onClose={() => setComparing(null)} />}
    </div>
  );
}
