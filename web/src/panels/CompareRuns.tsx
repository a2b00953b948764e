import { ArrowLeftRight, ChartLine } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { Job, Json, Series } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/compare.json";
import { useRuns } from "../state/run";
import { curveOf } from "../state/runs/curve";
import { summarise } from "../state/runs/curveViews";
import { diffGraphs, type GraphDiff, isSame } from "../state/runs/diff";
import { useSession } from "../state/session";
import { Button, EmptyState, Spinner } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./CompareRuns.module.css";
import { formatDuration, formatNumber, formatTime } from "./format";
import { RunStatus } from "./RunStatus";

addTexts(english);

interface Compared {
  diff: GraphDiff;
  /** "node.name" -> last value in each run. */
  measures: { name: string; before: number | undefined; after: number | undefined }[];
}

/** What is different between two runs: settings by node.setting, nodes, wires, and how their measures ended. */
export function CompareRuns({ jobs, onClose }: { jobs: readonly [Job, Job]; onClose: () => void }) {
  const { t } = useTranslation();
  const [[before, after], setPair] = useState(jobs);
  const [found, setFound] = useState<Compared | string | null>(null);
  useEffect(() => {
    const control = new AbortController();
    const { signal } = control;
    setFound(null);
    compare(before.id, after.id, signal)
      .then(setFound)
      .catch((error: unknown) => !signal.aborted && setFound(problemsOf(error)[0]?.message ?? String(error)));
    return () => control.abort();
  }, [before.id, after.id]);
  const overlay = () => {
    useRuns.getState().follow(after.id, false);
    useRuns.getState().setCompare([before.id]);
    useSession.getState().showDock("loss");
    onClose();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={t("compare.runs")}
      size="l"
      footer={
        <>
          <Button icon={<ArrowLeftRight size={14} />} onClick={() => setPair([after, before])}>
            {t("compare.swap")}
          </Button>
          <Button variant="primary" icon={<ChartLine size={14} />} onClick={overlay}>
            {t("compare.overlay")}
          </Button>
        </>
      }
    >
      <div className={styles.heads}>
        <Head job={before} mark={t("compare.a")} />
        <Head job={after} mark={t("compare.b")} />
      </div>
      {found === null && <EmptyState icon={<Spinner size={18} />} title={t("dock.loading")} />}
      {typeof found === "string" && <p role="alert">{found}</p>}
      {found !== null && typeof found !== "string" && <Differences found={found} />}
    </Dialog>
  );
}

async function compare(before: string, after: string, signal: AbortSignal): Promise<Compared> {
  const [a, b, first, second] = await Promise.all([
    api.jobGraph(before, { signal }),
    api.jobGraph(after, { signal }),
    api.series(before, { signal }),
    api.series(after, { signal }),
  ]);
  const [left, right] = [lastValues(first), lastValues(second)];
  const names = [...new Set([...left.keys(), ...right.keys()])].sort();
  const measures = names.map((name) => ({ name, before: left.get(name), after: right.get(name) }));
  return { diff: diffGraphs(a.graph, b.graph), measures };
}

function lastValues({ series }: Series): Map<string, number> {
  const found = new Map<string, number>();
  for (const [node, named] of Object.entries(series)) {
    for (const [name, points] of Object.entries(named)) {
      const last = summarise(curveOf(points))?.last;
      if (last !== undefined) found.set(`${node}.${name}`, last);
    }
  }
  return found;
}

function Head({ job, mark }: { job: Job; mark: string }) {
  const { i18n } = useTranslation();
  const seconds = job.started !== null && job.ended !== null ? job.ended - job.started : null;
  return (
    <div className={styles.head}>
      <strong className={styles.mark}>{mark}</strong>
      <span className={styles.title}>{job.title || job.id}</span>
      <RunStatus status={job.status} />
      <span className={styles.muted}>
        {formatTime(job.created, i18n.language)}
        {seconds !== null && `, ${formatDuration(seconds)}`}
      </span>
    </div>
  );
}

function Differences({ found: { diff, measures } }: { found: Compared }) {
  const { t, i18n } = useTranslation();
  const value = (number: number | undefined) => (number === undefined ? "–" : formatNumber(number, i18n.language));
  return (
    <div className={styles.parts}>
      {isSame(diff) && <p>{t("compare.same")}</p>}
      {diff.settings.length > 0 && (
        <Table
          caption={t("compare.settings")}
          rows={diff.settings.map(({ place, before, after }) => [place, asText(before), asText(after)])}
        />
      )}
      {measures.length > 0 && (
        <Table
          caption={t("compare.measures")}
          rows={measures.map(({ name, before, after }) => [name, value(before), value(after)])}
        />
      )}
      {diff.removed.length + diff.added.length > 0 && (
        <Table
          caption={t("compare.nodes")}
          rows={[
            ...diff.removed.map(({ node, type }) => [node, type, "–"] as const),
            ...diff.added.map(({ node, type }) => [node, "–", type] as const),
          ]}
        />
      )}
      {diff.wires.length > 0 && (
        <Table
          caption={t("compare.wires")}
          rows={diff.wires.map(({ target, before, after }) => [target, before ?? "–", after ?? "–"])}
        />
      )}
    </div>
  );
}

function asText(value: Json | undefined): string {
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

type Row = readonly [name: string, before: string, after: string];

function Table({ caption, rows }: { caption: string; rows: readonly Row[] }) {
  const { t } = useTranslation();
  return (
    <table className={styles.table}>
      <caption>{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{t("compare.place")}</th>
          <th scope="col">{t("compare.a")}</th>
          <th scope="col">{t("compare.b")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, before, after]) => (
          <tr key={`${name} ${before}`}>
            <th scope="row">
              <code>{name}</code>
            </th>
            <td>{before}</td>
            <td>{after}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
