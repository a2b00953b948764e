import { useTranslation } from "react-i18next";
import { addTexts } from "../i18n";
import english from "../i18n/en/files.json";
import { Section } from "../ui";
import styles from "./Files.module.css";
import { FolderBrowser } from "./FolderBrowser";
import { GraphFiles } from "./GraphFiles";

addTexts(english);

/** The workspace: its graphs, and what lies under its named roots. */
export function Files() {
  const { t } = useTranslation();
  return (
    <div className={styles.panel}>
      <Section flush title={t("files.graphs")}>
        <GraphFiles />
      </Section>
      <Section flush title={t("files.folders")}>
        <FolderBrowser />
      </Section>
    </div>
  );
}
