import { PlugZap, RefreshCw, ServerCrash, WifiOff } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { useDraftFailure } from "../state/drafts";
import { useMeter } from "../state/meter";
import { Button } from "../ui";
import styles from "./Banners.module.css";
import { attempt } from "./report";

/** What keeps the person from running: no server, no worker, drafts that cannot be kept. */
export function Banners() {
  const { t } = useTranslation();
  const connection = useMeter((state) => state.connection);
  const worker = useMeter((state) => state.worker);
  const failed = useDraftFailure();
  return (
    <div className={styles.stack}>
      {connection === "lost" && (
        <p className={styles.warn} role="status">
          <WifiOff size={14} aria-hidden />
          <span>{t("shell.banner.offline")}</span>
        </p>
      )}
      {connection === "open" && worker?.state === "dead" && (
        <p className={styles.error} role="alert">
          <ServerCrash size={14} aria-hidden />
          <span>
            {t("shell.banner.dead")} {worker.problem?.message}
          </span>
          <Button size="s" icon={<RefreshCw size={13} />} onClick={() => attempt(() => api.restartWorker())}>
            {t("shell.banner.restart")}
          </Button>
        </p>
      )}
      {connection === "open" && worker?.state === "restarting" && (
        <p className={styles.info} role="status">
          <PlugZap size={14} aria-hidden />
          <span>
            {t("shell.banner.restarting")} {worker.problem?.message}
          </span>
        </p>
      )}
      {failed && (
        <p className={styles.warn} role="alert">
          <ServerCrash size={14} aria-hidden />
          <span>{t("shell.banner.drafts")}</span>
        </p>
      )}
    </div>
  );
}
