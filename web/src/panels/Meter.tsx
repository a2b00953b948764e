import { Cpu, MemoryStick, ServerCrash, Unplug } from "lucide-react";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { useMeter } from "../state/meter";
import { Badge, Popover, Spinner } from "../ui";
import { formatBytes } from "./format";
import styles from "./Meter.module.css";

const MeterDetails = lazy(() => import("./MeterDetails").then(({ MeterDetails }) => ({ default: MeterDetails })));

/** Memory and CPU in a line; a click shows the machine and the worker process, and restarts it. */
export function Meter() {
  const { t, i18n } = useTranslation();
  const { meter, connection, worker } = useMeter();
  const gpu = meter?.gpus[0];
  const bytes = (value: number) => formatBytes(value, i18n.language);
  const trigger = (
    <button type="button" className={styles.trigger}>
      {connection === "lost" ? (
        <Badge tone="error" icon={<Unplug size={12} />}>
          {t("dock.meter.lost")}
        </Badge>
      ) : worker?.state === "dead" ? (
        <Badge tone="error" icon={<ServerCrash size={12} />}>
          {t("dock.worker.dead")}
        </Badge>
      ) : null}
      {meter && (
        <>
          <span className={styles.number}>
            <Cpu size={13} aria-label={t("dock.meter.cpu")} />
            {`${Math.round(meter.cpu)} %`}
          </span>
          <span className={styles.number}>
            <MemoryStick size={13} aria-label={t(gpu ? "dock.meter.gpuMemory" : "dock.meter.memory")} />
            {bytes(gpu ? gpu.used : meter.memory)}
          </span>
        </>
      )}
      {!meter && connection !== "lost" && <span>{t("dock.meter.title")}</span>}
    </button>
  );
  return (
    <Popover trigger={trigger} label={t("dock.meter.title")} side="top" align="end">
      <Suspense fallback={<Spinner />}>
        <MeterDetails />
      </Suspense>
    </Popover>
  );
}
