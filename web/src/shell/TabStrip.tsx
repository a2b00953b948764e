import { Circle, Lock, Plus, X } from "lucide-react";
import { type DragEvent, useEffect, useRef, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { keysOf } from "../state/commands";
import { isDirty } from "../state/document";
import { type Tab, useTabs } from "../state/tabs";
import { ContextMenu, cx, IconButton, MenuItem, VisuallyHidden } from "../ui";
import { closeTab, newGraph, titleOf } from "./documents";
import { attempt } from "./report";
import styles from "./TabStrip.module.css";

const DRAGGED = "application/x-hcpgraph-tab";

/** The open documents: a click shows one, the middle button closes it, dragging puts it elsewhere. */
export function TabStrip() {
  const { t } = useTranslation();
  const tabs = useTabs((state) => state.tabs);
  return (
    <nav className={styles.strip} aria-label={t("shell.tabs")}>
      <ul className={styles.list}>
        {tabs.map((tab, index) => (
          <TabItem key={tab.id} tab={tab} index={index} />
        ))}
      </ul>
      <IconButton
        label={t("shell.new")}
        shortcut={keysOf("file.new")}
        icon={<Plus size={15} />}
        size="s"
        onClick={newGraph}
      />
    </nav>
  );
}

function TabItem({ tab, index }: { tab: Tab; index: number }) {
  const { t } = useTranslation();
  const active = useTabs((state) => state.active === tab.id);
  const last = useTabs((state) => state.tabs.at(-1)?.id === tab.id);
  const { activate, reorder } = useTabs.getState();
  const doc = useSyncExternalStore(tab.doc.subscribe, tab.doc.getState);
  const unsaved = isDirty(doc);
  const title = titleOf(doc);
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (active) item.current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active]);

  const drop = (event: DragEvent) => {
    const moved = event.dataTransfer.getData(DRAGGED);
    if (!moved) return;
    event.preventDefault();
    reorder(moved, index);
  };
  const close = () => attempt(() => closeTab(tab.id));
  const others = async () => {
    for (const one of useTabs.getState().tabs) if (one.id !== tab.id) await closeTab(one.id);
  };
  const state = [unsaved && t("shell.unsaved"), doc.readOnly && t("shell.readOnly")].filter(Boolean).join(", ");

  const menu = (
    <>
      <MenuItem onSelect={close}>{t("shell.close")}</MenuItem>
      <MenuItem onSelect={() => attempt(others)}>{t("shell.closeOthers")}</MenuItem>
      <MenuItem disabled={index === 0} onSelect={() => reorder(tab.id, index - 1)}>
        {t("shell.tabLeft")}
      </MenuItem>
      <MenuItem disabled={last} onSelect={() => reorder(tab.id, index + 1)}>
        {t("shell.tabRight")}
      </MenuItem>
    </>
  );
  return (
    <ContextMenu menu={menu} label={title}>
      <li
        ref={item}
        className={cx(styles.item, active && styles.active)}
        draggable
        onDragStart={(event) => event.dataTransfer.setData(DRAGGED, tab.id)}
        onDragOver={(event) => event.dataTransfer.types.includes(DRAGGED) && event.preventDefault()}
        onDrop={drop}
        onAuxClick={(event) => event.button === 1 && close()}
      >
        <button
          type="button"
          className={styles.tab}
          aria-current={active ? "page" : undefined}
          title={doc.name ?? title}
          onClick={() => activate(tab.id)}
        >
          {doc.readOnly && <Lock size={12} aria-hidden />}
          <span className={styles.title}>{title}</span>
          {state && <VisuallyHidden>{state}</VisuallyHidden>}
        </button>
        <span className={styles.end}>
          {unsaved && <Circle size={7} className={styles.dot} fill="currentColor" aria-hidden />}
          <button
            type="button"
            className={cx(styles.close, unsaved && styles.hasDot)}
            aria-label={t("shell.closeNamed", { name: title })}
            onClick={close}
          >
            <X size={13} />
          </button>
        </span>
      </li>
    </ContextMenu>
  );
}
