import { CircleCheck, ListVideo, LoaderCircle } from "lucide-react";
import { useTranslation } from "react-i18next";
import { queueOf, useQueue } from "../state/queue";
import { useSession } from "../state/session";
import { Button, Tooltip } from "../ui";
import styles from "./TopBar.module.css";

/** How many runs go on and wait; a click shows them. */
export function QueueIndicator() {
  const { t } = useTranslation();
  const jobs = useQueue((state) => state.jobs);
  const open = queueOf(jobs);
  const showDock = useSession((state) => state.showDock);
  const running = open.filter((job) => job.status === "running").length;
  const queued = open.length - running;
  const text = running + queued === 0 ? t("shell.queue.idle") : t("shell.queue.busy", { running, queued });
  const Icon = running > 0 ? LoaderCircle : queued > 0 ? ListVideo : CircleCheck;
  return (
    <Tooltip content={text}>
      <Button
        variant="ghost"
        aria-label={text}
        icon={<Icon size={15} className={running > 0 ? styles.turning : styles.quiet} />}
        onClick={() => showDock("runs")}
      >
        {running + queued > 0 && <span>{running + queued}</span>}
      </Button>
    </Tooltip>
  );
}
