import { Ban, CircleAlert, CircleCheck, CircleDashed, Database, LoaderCircle } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { NodeRun } from "../api/schema";
import { useNodePicture, useNodeRun } from "../state/run";
import { Progress, Section } from "../ui";
import { formatDuration, formatNumber } from "./format";
import styles from "./Inspector.module.css";
import { Traceback } from "./Traceback";

const ICONS: Record<NodeRun["state"], typeof Ban> = {
  waiting: CircleDashed,
  running: LoaderCircle,
  done: CircleCheck,
  cached: Database,
  failed: CircleAlert,
  skipped: Ban,
};

/** How a node did in the run that is shown. */
export function InspectorRun({ flat }: { flat: string }) {
  const { t, i18n } = useTranslation();
  const run = useNodeRun(flat);
  const picture = useNodePicture(flat);
  if (!run && !picture) return null;
  const Icon = run ? ICONS[run.state] : CircleDashed;
  return (
    <Section title={t("inspector.run")}>
      <div className={styles.fields}>
        {run && (
          <p className={styles.runState} data-state={run.state}>
            <Icon size={14} aria-hidden />
            <span>{t(`forms.state.${run.state}`)}</span>
            {run.seconds !== undefined && <span className={styles.faint}>{formatDuration(run.seconds)}</span>}
          </p>
        )}
        {run?.state === "running" && run.total !== undefined && (
          <>
            <Progress value={run.value ?? 0} max={run.total} label={t("inspector.progress")} />
            <p className={styles.faint}>{t("forms.inspector.of", { value: run.value ?? 0, total: run.total })}</p>
          </>
        )}
        {run?.numbers && (
          <dl className={styles.numbers}>
            {Object.entries(run.numbers).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{formatNumber(value, i18n.language)}</dd>
              </div>
            ))}
          </dl>
        )}
        {run?.problem && (
          <div className={styles.error} role="alert">
            <p>{run.problem.message}</p>
            {run.problem.hint && <p className={styles.hint}>{run.problem.hint}</p>}
          </div>
        )}
        {run?.traceback && <Traceback text={run.traceback} />}
        {picture && <img className={styles.picture} src={picture} alt={t("inspector.picture", { node: flat })} />}
      </div>
    </Section>
  );
}
