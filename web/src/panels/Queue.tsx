import { ArrowDown, ArrowUp, GripVertical } from "lucide-react";
import { type DragEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { Job } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/history.json";
import { attempt } from "../shell/report";
import { placeBefore, putReply, queueOf } from "../state/queue";
import { announce, cx, IconButton } from "../ui";
import styles from "./Runs.module.css";

addTexts(english);

const DRAGGED = "application/x-hcpgraph-job";

/** What runs and what waits, in order; waiting runs are moved by buttons or by dragging. */
export function Queue({ jobs, row }: { jobs: readonly Job[]; row: (job: Job) => ReactNode }) {
  const { t } = useTranslation();
  const [over, setOver] = useState<string | null>(null);
  const open = queueOf(jobs);
  const queued = open.filter((job) => job.status === "queued");
  const ids = queued.map((job) => job.id);
  if (open.length === 0) return null;

  const move = (job: Job, to: number) =>
    attempt(async () => {
      for (const moved of await api.moveJob(job.id, placeBefore(ids, job.id, to))) putReply(moved);
      announce(t("dock.said.moved", { title: job.title, place: to + 1 }));
    });
  const drop = (event: DragEvent, target: Job) => {
    setOver(null);
    const moved = queued.find((job) => job.id === event.dataTransfer.getData(DRAGGED));
    if (!moved || moved.id === target.id) return;
    event.preventDefault();
    void move(moved, ids.indexOf(target.id));
  };

  return (
    <section aria-label={t("history.queue")}>
      <h3 className={styles.heading}>{t("history.queue")}</h3>
      <ol>
        {open.map((job) => {
          const place = ids.indexOf(job.id);
          if (place < 0) return <li key={job.id}>{row(job)}</li>;
          return (
            <li
              key={job.id}
              className={cx(styles.queued, over === job.id && styles.over)}
              draggable
              onDragStart={(event) => {
                event.dataTransfer.setData(DRAGGED, job.id);
                event.dataTransfer.effectAllowed = "move";
              }}
              onDragOver={(event) => {
                if (!event.dataTransfer.types.includes(DRAGGED)) return;
                event.preventDefault();
                setOver(job.id);
              }}
              onDragLeave={() => setOver(null)}
              onDrop={(event) => drop(event, job)}
            >
              <GripVertical size={14} className={styles.grip} aria-hidden />
              {row(job)}
              <IconButton
                size="s"
                label={t("history.earlier", { title: job.title })}
                icon={<ArrowUp size={14} />}
                disabled={place === 0}
                onClick={() => move(job, place - 1)}
              />
              <IconButton
                size="s"
                label={t("history.later", { title: job.title })}
                icon={<ArrowDown size={14} />}
                disabled={place === ids.length - 1}
                onClick={() => move(job, place + 1)}
              />
            </li>
          );
        })}
      </ol>
    </section>
  );
}
