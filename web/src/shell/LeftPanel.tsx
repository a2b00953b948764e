import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Palette } from "../panels/Palette";
import { useSession } from "../state/session";
import { Spinner, TabPanel, Tabs } from "../ui";
import styles from "./LeftPanel.module.css";

const Outline = lazy(() => import("../panels/Outline").then(({ Outline }) => ({ default: Outline })));
const Files = lazy(() => import("../panels/Files").then(({ Files }) => ({ default: Files })));

export function LeftPanel() {
  const { t } = useTranslation();
  const tab = useSession((state) => state.left.tab);
  const showLeft = useSession((state) => state.showLeft);
  return (
    <Tabs
      className={styles.tabs}
      value={tab}
      onChange={showLeft}
      label={t("shell.region.left")}
      items={[
        { value: "palette", label: t("shell.palette") },
        { value: "outline", label: t("shell.outline") },
        { value: "files", label: t("shell.files") },
      ]}
    >
      <TabPanel value="palette">
        <Palette />
      </TabPanel>
      <TabPanel value="outline">
        <Suspense fallback={<Spinner />}>
          <Outline />
        </Suspense>
      </TabPanel>
      <TabPanel value="files">
        <Suspense fallback={<Spinner />}>
          <Files />
        </Suspense>
      </TabPanel>
    </Tabs>
  );
}
