import { FileInput } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import styles from "./DropZone.module.css";

/** Files of the machine, dropped anywhere where no panel takes them: a graph, or a picture or weights with one inside. */
export function DropZone() {
  const { t } = useTranslation();
  const [over, setOver] = useState(false);

  useEffect(() => {
    // Elements under the pointer enter and leave in turn: the last one that leaves ends the drag.
    let depth = 0;
    const files = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!files(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!files(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const move = (event: DragEvent) => {
      if (!files(event) || event.defaultPrevented) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    };
    const end = () => {
      depth = 0;
      setOver(false);
    };
    const drop = (event: DragEvent) => {
      end();
      // A file picker or a gallery has taken it.
      if (!files(event) || event.defaultPrevented) return;
      event.preventDefault();
      const dropped = [...(event.dataTransfer?.files ?? [])];
      void import("../canvas/clips").then((clips) => clips.takeFiles(dropped));
    };
    // `end` also listens while the event goes down: a panel may stop it on its way up.
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", move);
    window.addEventListener("drop", drop);
    window.addEventListener("drop", end, true);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", move);
      window.removeEventListener("drop", drop);
      window.removeEventListener("drop", end, true);
    };
  }, []);

  if (!over) return null;
  return (
    <div className={styles.zone} aria-hidden>
      <div className={styles.note}>
        <FileInput size={18} />
        <span>{t("shell.drop.here")}</span>
        <small>{t("shell.drop.kinds")}</small>
      </div>
    </div>
  );
}
