import {
  LayoutTemplate,
  PanelBottom,
  PanelLeft,
  PanelRight,
  Redo2,
  TextCursorInput,
  Undo2,
  Workflow,
} from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { keysOf, runCommand } from "../state/commands";
import { useSession } from "../state/session";
import { useHistory } from "../state/tabs";
import { Button, IconButton, Segments } from "../ui";
import { FileMenu } from "./FileMenu";
import { Heading } from "./Heading";
import { HelpMenu, LanguageMenu, LookMenu } from "./LookMenus";
import { QueueIndicator } from "./QueueIndicator";
import { RunButton } from "./RunButton";
import { TabStrip } from "./TabStrip";
import styles from "./TopBar.module.css";

export function TopBar() {
  const { t } = useTranslation();
  const left = useSession((state) => state.left.open);
  const dock = useSession((state) => state.dock.open);
  const right = useSession((state) => state.right.open);
  const view = useSession((state) => state.view);
  const form = view === "form";
  const { toggleLeft, toggleDock, toggleRight, setView } = useSession.getState();
  return (
    <header className={styles.bar}>
      <Heading />
      <div className={styles.group}>
        <IconButton
          label={t("shell.left")}
          icon={<PanelLeft size={16} />}
          pressed={left && !form}
          disabled={form}
          onClick={toggleLeft}
        />
        <FileMenu />
        <Button variant="ghost" icon={<LayoutTemplate size={15} />} onClick={() => runCommand("file.templates")}>
          <span className={styles.wideOnly}>{t("shell.templates")}</span>
        </Button>
        <UndoButtons />
      </div>
      <TabStrip />
      <div className={styles.group}>
        <Segments
          value={view}
          onChange={setView}
          label={t("shell.view")}
          options={[
            {
              value: "graph",
              label: <ViewLabel icon={<Workflow size={14} />} text={t("shell.view.graph")} />,
              name: t("shell.view.graph"),
            },
            {
              value: "form",
              label: <ViewLabel icon={<TextCursorInput size={14} />} text={t("shell.view.form")} />,
              name: t("shell.view.form"),
            },
          ]}
        />
        <QueueIndicator />
        <RunButton />
        <span className={styles.line} />
        <LanguageMenu />
        <LookMenu />
        <HelpMenu />
        <IconButton label={t("shell.dock")} icon={<PanelBottom size={16} />} pressed={dock} onClick={toggleDock} />
        <IconButton
          label={t("shell.right")}
          icon={<PanelRight size={16} />}
          pressed={right && !form}
          disabled={form}
          onClick={toggleRight}
        />
      </div>
    </header>
  );
}

function ViewLabel({ icon, text }: { icon: ReactNode; text: string }) {
  return (
    <span className={styles.view}>
      {icon}
      <span className={styles.wideOnly}>{text}</span>
    </span>
  );
}

function UndoButtons() {
  const { t } = useTranslation();
  const { canUndo, canRedo, undoLabel, redoLabel } = useHistory();
  const undo = undoLabel ? t("shell.undoNamed", { what: t(undoLabel) }) : t("shell.undo");
  const redo = redoLabel ? t("shell.redoNamed", { what: t(redoLabel) }) : t("shell.redo");
  return (
    <>
      <IconButton
        label={undo}
        shortcut={keysOf("edit.undo")}
        icon={<Undo2 size={16} />}
        disabled={!canUndo}
        onClick={() => runCommand("edit.undo")}
      />
      <IconButton
        label={redo}
        shortcut={keysOf("edit.redo")}
        icon={<Redo2 size={16} />}
        disabled={!canRedo}
        onClick={() => runCommand("edit.redo")}
      />
    </>
  );
}
