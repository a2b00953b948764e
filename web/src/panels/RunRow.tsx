import {
  ChartLine,
  Ellipsis,
  Eye,
  FileJson,
  ImagePlus,
  Images,
  Play,
  RotateCcw,
  RotateCw,
  Save,
  Square,
  StepForward,
  Trash2,
  Workflow,
} from "lucide-react";
import { memo, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { Job, NodeRun } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/history.json";
import { openRunGraph } from "../shell/documents";
import { attempt } from "../shell/report";
import { dropJob, isOpen } from "../state/queue";
import { cancelRun, requestRun, runAgain, showRun, useRuns } from "../state/run";
import { useSession } from "../state/session";
import { useStamp } from "../state/stamps";
import { cx, IconButton, Menu, MenuCheckItem, MenuItem, MenuSeparator, Progress } from "../ui";
import { Checkbox } from "../ui/Checkbox";
import { formatDuration, formatTime } from "./format";
import { RunStatus } from "./RunStatus";
import styles from "./Runs.module.css";

addTexts(english);

interface RunRowProps {
  job: Job;
  /** For a comparison. */
  chosen: boolean;
  onChoose: (chosen: boolean) => void;
}

/** One run of the list: picture, state, time, and what can be done with it. */
export const RunRow = memo(function RunRow({ job, chosen, onChoose }: RunRowProps) {
  const { t, i18n } = useTranslation();
  const shown = useRuns((state) => state.active === job.id);
  const [broken, setBroken] = useState(false);
  const stamp = useStamp(job.picture, job.artifacts);
  const title = job.title || job.id;
  return (
    <div className={cx(styles.row, shown && styles.shown)}>
      <Checkbox checked={chosen} onChange={onChoose} aria-label={t("history.choose", { title })} />
      <span className={styles.thumb}>
        {job.picture !== null && typeof stamp === "string" && !broken ? (
          <img src={api.thumbUrl(job.picture, 64, stamp)} alt="" loading="lazy" onError={() => setBroken(true)} />
        ) : (
          <Play size={14} aria-hidden />
        )}
      </span>
      <button type="button" className={styles.name} aria-pressed={shown} onClick={() => showRun(job)}>
        <span className={styles.title}>{title}</span>
        <span className={styles.when}>
          {formatTime(job.started ?? job.created, i18n.language)}
          {job.started !== null && <Elapsed job={job} />}
          {job.artifacts > 0 && <span>{t("history.files", { number: job.artifacts })}</span>}
        </span>
        {job.reason && <span className={styles.reason}>{job.reason.message}</span>}
      </button>
      {job.status === "running" && <RunProgress id={job.id} />}
      <RunStatus status={job.status} />
      {isOpen(job) && (
        <IconButton
          size="s"
          label={t("history.cancel", { title })}
          icon={<Square size={13} />}
          onClick={() => cancelRun(job.id)}
        />
      )}
      {isInterrupted(job) && (
        <IconButton
          size="s"
          label={t("history.goOn", { title })}
          icon={<RotateCw size={13} />}
          onClick={() => attempt(() => runAgain(job))}
        />
      )}
      <RunMenu job={job} title={title} />
    </div>
  );
});

/** Whether a run ended because a process did, so that going on is what one wants. */
function isInterrupted(job: Job): boolean {
  return !isOpen(job) && (job.reason?.code === "E_INTERRUPTED" || job.reason?.code === "E_KILLED");
}

function RunMenu({ job, title }: { job: Job; title: string }) {
  const { t } = useTranslation();
  const compared = useRuns((state) => state.compare.includes(job.id));
  const { toggleCompare } = useRuns.getState();
  const { showDock } = useSession.getState();
  const remove = async () => {
    const answer = await useSession.getState().openDialog("confirm", {
      title: t("history.delete"),
      text: t("history.delete.text", { title }),
      confirm: t("history.delete"),
      danger: true,
    });
    if (!answer) return;
    await attempt(async () => {
      await api.deleteJob(job.id);
      dropJob(job.id);
      useRuns.getState().forget(job.id);
    });
  };
  const show = (tab: "loss" | "gallery") => {
    showRun(job);
    showDock(tab);
  };
  return (
    <Menu
      align="end"
      trigger={<IconButton size="s" label={t("history.actions", { title })} icon={<Ellipsis size={15} />} />}
    >
      <MenuItem icon={<Eye size={14} />} onSelect={() => showRun(job)}>
        {t("history.show")}
      </MenuItem>
      <MenuItem icon={<ChartLine size={14} />} onSelect={() => show("loss")}>
        {t("history.showLoss")}
      </MenuItem>
      <MenuItem icon={<Images size={14} />} onSelect={() => show("gallery")}>
        {t("history.showGallery")}
      </MenuItem>
      <MenuCheckItem checked={compared} onChange={() => toggleCompare(job.id)}>
        {t("history.overlay")}
      </MenuCheckItem>
      <MenuSeparator />
      <MenuItem icon={<Workflow size={14} />} onSelect={() => attempt(() => openGraphOf(job.id))}>
        {t("history.openGraph")}
      </MenuItem>
      <MenuItem icon={<RotateCw size={14} />} onSelect={() => attempt(() => runAgain(job))}>
        {t("history.again")}
      </MenuItem>
      {!isOpen(job) && (
        <MenuItem icon={<RotateCcw size={14} />} onSelect={() => attempt(() => runAgain(job, ["*"]))}>
          {t("history.trainAgain")}
        </MenuItem>
      )}
      {!isOpen(job) && (
        <MenuItem icon={<FileJson size={14} />} onSelect={() => attempt(() => saveRecord(job.id))}>
          {t("history.record")}
        </MenuItem>
      )}
      <MenuSeparator />
      {job.status === "running" && (
        <>
          <MenuItem icon={<ImagePlus size={14} />} onSelect={() => requestRun("sample", job.id)}>
            {t("history.sample")}
          </MenuItem>
          <MenuItem icon={<Save size={14} />} onSelect={() => requestRun("save", job.id)}>
            {t("history.save")}
          </MenuItem>
          <MenuItem icon={<StepForward size={14} />} onSelect={() => requestRun("stop", job.id)}>
            {t("history.stop")}
          </MenuItem>
        </>
      )}
      {isOpen(job) ? (
        <MenuItem icon={<Square size={14} />} danger onSelect={() => cancelRun(job.id)}>
          {t("history.cancelThis")}
        </MenuItem>
      ) : (
        <MenuItem icon={<Trash2 size={14} />} danger onSelect={remove}>
          {t("history.delete")}
        </MenuItem>
      )}
    </Menu>
  );
}

/** In a tab of its own, which then shows the states of that run. */
async function openGraphOf(id: string): Promise<void> {
  await openRunGraph(id);
  useRuns.getState().follow(id);
}

/** run.json: versions, seeds, time and memory of every node. */
async function saveRecord(id: string): Promise<void> {
  const text = JSON.stringify(await api.record(id), null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `${id}.run.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function Elapsed({ job }: { job: Job }) {
  const [now, setNow] = useState(() => Date.now() / 1000);
  const running = job.status === "running";
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, [running]);
  if (job.started === null) return null;
  const end = job.ended ?? (running ? now : job.started);
  return <span>{formatDuration(Math.max(0, end - job.started))}</span>;
}

/** The work that takes longest: a training loop and not the sampler inside of it. */
function mainWork(nodes: Readonly<Record<string, NodeRun>> | undefined): NodeRun | undefined {
  const running = Object.values(nodes ?? {}).filter((run) => run.state === "running" && run.total !== undefined);
  return running.sort((a, b) => (b.total ?? 0) - (a.total ?? 0))[0];
}

function RunProgress({ id }: { id: string }) {
  const { t } = useTranslation();
  const work = useRuns((state) => mainWork(state.runs[id]?.nodes));
  if (!work) return null;
  return (
    <span className={styles.progress}>
      <Progress label={t("history.progress")} value={work.value} max={work.total} />
      <span>{`${work.value} / ${work.total}`}</span>
    </span>
  );
}
