import { Database, RefreshCw, X } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { DataReport as Made, Problem } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/dataReport.json";
import { isBlank, useGraph, useTabs } from "../state/tabs";
import { Badge, Button, EmptyState, Progress, Section } from "../ui";
import styles from "./DataReport.module.css";
import { DataReportLoader } from "./DataReportLoader";
import { Place } from "./DataReportPlace";
import { askReport, cancelReport, isCurrent, type Report, useDataReports } from "./dataReports";

addTexts(english);

/** What a training of the graph in front would see. It is asked for when the panel is opened, then by its button. */
export function DataReport() {
  const { t, i18n } = useTranslation();
  const tab = useTabs((state) => state.active);
  const graph = useGraph();
  const known = useDataReports((state) => state.known[tab]);
  const language = i18n.language;
  const ask = () => void askReport(tab, graph, language);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for every document, not after each edit
  useEffect(() => {
    if (isBlank(graph)) return;
    const report = useDataReports.getState().known[tab];
    if (!report || report.language !== language) ask();
  }, [tab, language]);
  if (isBlank(graph) && !known) return <EmptyState icon={<Database size={18} />} title={t("dock.data.blank")} />;
  if (!known) {
    return (
      <EmptyState
        icon={<Database size={18} />}
        title={t("dataReport.empty")}
        action={
          <Button variant="primary" size="s" onClick={ask}>
            {t("dataReport.check")}
          </Button>
        }
      >
        {t("dataReport.emptyText")}
      </EmptyState>
    );
  }
  return (
    <div className={styles.panel}>
      <Bar known={known} old={!isCurrent(known, graph)} onAsk={ask} onCancel={() => cancelReport(tab)} />
      <section
        className={styles.scroll}
        aria-label={t("dock.data")}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
      >
        <Problems problems={known.report?.problems ?? known.problems} />
        {known.report && <Loaders report={known.report} />}
      </section>
    </div>
  );
}

function Bar({
  known,
  old,
  onAsk,
  onCancel,
}: {
  known: Report;
  old: boolean;
  onAsk: () => void;
  onCancel: () => void;
}) {
  const { t } = useTranslation();
  const { progress } = known;
  if (!progress) {
    return (
      <div className={styles.bar}>
        <Button size="s" icon={<RefreshCw size={13} />} onClick={onAsk}>
          {t("dataReport.check")}
        </Button>
        <span role="status" className={styles.muted}>
          {old ? t("dataReport.old") : t("dataReport.done")}
        </span>
      </div>
    );
  }
  const { node, value, total } = progress;
  const text = total
    ? t("dataReport.checkingOf", { node, value, total })
    : t(node ? "dataReport.checkingNode" : "dataReport.checking", { node });
  return (
    <div className={styles.bar}>
      <Button size="s" icon={<X size={13} />} onClick={onCancel}>
        {t("dataReport.cancel")}
      </Button>
      <span className={styles.muted}>{text}</span>
      <Progress
        className={styles.progress}
        label={t("dataReport.checking")}
        value={total ? value : undefined}
        max={total}
      />
    </div>
  );
}

function Loaders({ report }: { report: Made }) {
  const { t } = useTranslation();
  if (report.loaders.length === 0) return <p className={styles.empty}>{t("dataReport.noLoader")}</p>;
  return (
    <>
      {report.loaders.map((loader) => (
        <DataReportLoader key={loader.node} loader={loader} />
      ))}
      {report.notes.length > 0 && (
        <Section title={t("dataReport.notes")}>
          <ul className={styles.list}>
            {report.notes.map((note) => (
              <li key={`${note.node} ${note.message}`}>
                <Place node={note.node} /> {note.message}
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}

function Problems({ problems }: { problems: readonly Problem[] }) {
  const { t } = useTranslation();
  if (problems.length === 0) return null;
  const worst = problems.some((problem) => problem.severity === "error") ? "error" : "warn";
  return (
    <Section title={t("dataReport.problems")} note={<Badge tone={worst}>{problems.length}</Badge>}>
      <ul className={styles.list}>
        {problems.map((problem) => (
          <li key={`${problem.node} ${problem.message}`} className={styles[problem.severity]}>
            {problem.node && <Place node={problem.node} port={problem.port} />} {problem.message}
            {problem.hint && <span className={styles.hint}>{problem.hint}</span>}
          </li>
        ))}
      </ul>
    </Section>
  );
}
