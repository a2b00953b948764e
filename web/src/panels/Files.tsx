import { useTranslation } from "react-i18next";
import { Section } from "../ui";
import styles from "./Files.module.css";
import { FolderBrowser } from "./FolderBrowser";
import { GraphFiles } from "./GraphFiles";

/** The workspace: its graphs, and what lies under its named roots. */
export function Files() {
  const { t } = useTranslation();
  return (
    <div className={styles.panel}>
      <Section flush title={t("shell.files.graphs")}>
        <GraphFiles />
      </Section>
      <Section flush title={t("shell.files.folders")}>
        <FolderBrowser />
      </Section>
    </div>
  );
}
