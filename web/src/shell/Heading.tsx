import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useDirty, useDoc } from "../state/tabs";
import { VisuallyHidden } from "../ui";
import { titleOf } from "./documents";

/** What the page is about, for screen readers and for the tab of the browser. */
export function Heading() {
  const { t } = useTranslation();
  const title = useDoc(titleOf);
  const dirty = useDirty();
  useEffect(() => {
    document.title = `${dirty ? "• " : ""}${title} – hcpgraph`;
  }, [title, dirty]);
  return (
    <VisuallyHidden>
      <h1>{t("shell.heading", { title })}</h1>
    </VisuallyHidden>
  );
}
