import { LocateFixed } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSession } from "../state/session";
import styles from "./DataReport.module.css";

/** The name of a node; a click goes there. */
export function Place({ node, port }: { node: string; port?: string | null }) {
  const { t } = useTranslation();
  const focusNode = useSession((state) => state.focusNode);
  return (
    <button
      type="button"
      className={styles.place}
      title={t("dataReport.focus", { node })}
      onClick={() => focusNode(node, port ?? undefined)}
    >
      <LocateFixed size={11} aria-hidden />
      {node}
    </button>
  );
}
