import { ChevronRight } from "lucide-react";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import { bodyAt, bodyNameAt } from "../graph/body";
import { useDoc, usePath, useTabs } from "../state/tabs";
import styles from "./Breadcrumb.module.css";
import { titleOf } from "./documents";

/** Which subgraph is shown, and the way back. Nothing at the root. */
export function Breadcrumb() {
  const { t } = useTranslation();
  const path = usePath();
  const graph = useDoc((doc) => doc.graph);
  const title = useDoc((doc) => titleOf(doc));
  const setPath = useTabs((state) => state.setPath);
  if (path.length === 0) return null;
  const steps = path.map((id, index) => ({
    id,
    path: path.slice(0, index + 1),
    title: bodyAt(graph, path.slice(0, index)).nodes[id]?.title ?? bodyNameAt(graph, path.slice(0, index + 1)) ?? id,
  }));
  return (
    <nav className={styles.crumbs} aria-label={t("shell.breadcrumb")}>
      <button type="button" className={styles.crumb} onClick={() => setPath([])}>
        {title}
      </button>
      {steps.map((step, index) => (
        <Fragment key={step.path.join("/")}>
          <ChevronRight size={13} aria-hidden />
          <button
            type="button"
            className={styles.crumb}
            aria-current={index === steps.length - 1 ? "page" : undefined}
            onClick={() => setPath(step.path)}
          >
            {step.title}
          </button>
        </Fragment>
      ))}
    </nav>
  );
}
