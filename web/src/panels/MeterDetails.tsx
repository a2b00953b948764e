import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { WorkerState } from "../api/schema";
import { attempt } from "../shell/report";
import { useMeter } from "../state/meter";
import { useRunningJob } from "../state/queue";
import { useSession } from "../state/session";
import { Badge, Button, Progress, type Tone } from "../ui";
import { formatBytes } from "./format";
import styles from "./Meter.module.css";

const TONES: Record<WorkerState["state"], Tone> = {
  starting: "neutral",
  idle: "ok",
  busy: "running",
  restarting: "warn",
  dead: "error",
};

/** The machine and the worker process. */
export function MeterDetails() {
  const { t, i18n } = useTranslation();
  const { meter, trail, worker, version, connection } = useMeter();
  const bytes = (value: number) => formatBytes(value, i18n.language);
  const share = (used: number, total: number) => t("dock.meter.of", { used: bytes(used), total: bytes(total) });
  return (
    <div className={styles.details}>
      {connection !== "open" && <p role="status">{t(`dock.meter.${connection}`)}</p>}
      {meter && (
        <>
          <Bar label={t("dock.meter.cpu")} text={`${Math.round(meter.cpu)} %`} value={meter.cpu} max={100} />
          <Bar
            label={t("dock.meter.memory")}
            text={share(meter.memory, meter.memory_total)}
            value={meter.memory}
            max={meter.memory_total}
          />
          <Bar
            label={t("dock.meter.worker")}
            text={bytes(meter.worker_memory)}
            value={meter.worker_memory}
            max={meter.memory_total}
          />
          {meter.gpus.map((gpu, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: graphics cards have no name of their own and do not move
            <div key={index} className={styles.gpu}>
              <Bar label={gpu.name} text={share(gpu.used, gpu.total)} value={gpu.used} max={gpu.total} />
              {gpu.load !== null && (
                <Bar
                  label={t("dock.meter.load", { name: gpu.name })}
                  text={`${Math.round(gpu.load)} %`}
                  value={gpu.load}
                  max={100}
                />
              )}
            </div>
          ))}
          <Trail points={trail.map((point) => point.cpu)} />
        </>
      )}
      {worker && <Worker worker={worker} />}
      {version && <p className={styles.version}>{t("dock.meter.version", { version })}</p>}
    </div>
  );
}

function Bar({ label, text, value, max }: { label: string; text: string; value: number; max: number }) {
  return (
    <div className={styles.bar}>
      <span className={styles.label}>{label}</span>
      <span className={styles.value}>{text}</span>
      <Progress label={label} value={Math.min(value, max)} max={max} className={styles.progress} />
    </div>
  );
}

/** CPU load of the last two minutes; the bars above say it in words. */
function Trail({ points }: { points: readonly number[] }) {
  const step = 100 / Math.max(1, points.length - 1);
  const line = points.map((value, index) => `${(index * step).toFixed(1)},${(20 - value * 20).toFixed(1)}`).join(" ");
  return (
    <svg className={styles.trail} viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={line} />
    </svg>
  );
}

function Worker({ worker }: { worker: WorkerState }) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const running = useRunningJob();
  const openDialog = useSession((state) => state.openDialog);
  const restart = async () => {
    if (running) {
      const answer = await openDialog("confirm", {
        title: t("dock.worker.restart"),
        text: t("dock.worker.restart.text", { title: running.title }),
        confirm: t("dock.worker.restart"),
        danger: true,
      });
      if (!answer) return;
    }
    setBusy(true);
    const next = await attempt(() => api.restartWorker());
    if (next) useMeter.setState({ worker: next });
    setBusy(false);
  };
  return (
    <div className={styles.worker}>
      <p className={styles.state}>
        <Badge tone={TONES[worker.state]}>{t(`dock.worker.${worker.state}`)}</Badge>
        <span className={styles.label}>
          {[worker.device, worker.pid !== null && t("dock.worker.pid", { pid: worker.pid })].filter(Boolean).join(", ")}
        </span>
      </p>
      {worker.problem && (
        <p className={styles.problem}>
          {worker.problem.message}
          {worker.problem.hint && <span className={styles.label}>{worker.problem.hint}</span>}
        </p>
      )}
      <Button
        size="s"
        icon={<RotateCcw size={13} />}
        loading={busy || worker.state === "restarting" || worker.state === "starting"}
        onClick={restart}
      >
        {t("dock.worker.restart")}
      </Button>
    </div>
  );
}
