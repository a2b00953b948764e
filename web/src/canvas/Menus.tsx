import {
  AlignHorizontalDistributeCenter,
  ArrowDown,
  ArrowUp,
  Boxes,
  ClipboardPaste,
  Copy,
  CornerDownRight,
  Frame,
  LogIn,
  LogOut,
  Maximize,
  MoonStar,
  MoveDiagonal,
  Palette,
  Pencil,
  Play,
  Plus,
  Scissors,
  Search,
  SlidersHorizontal,
  Spline,
  StickyNote,
  Trash2,
} from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { bareTarget, splitTarget } from "../graph/body";
import { listSize } from "../graph/edit/base";
import { reorderWire } from "../graph/edit/wires";
import { addTexts } from "../i18n";
import english from "../i18n/en/menus.json";
import { commandById, runCommand } from "../state/commands";
import { useSession } from "../state/session";
import { currentPath, useBody, useDoc, useTabs } from "../state/tabs";
import { MenuAt, MenuItem, MenuSeparator, MenuSub } from "../ui";
import * as act from "./actions";
import { COLOURS, colourOf } from "./colours";
import { edit } from "./edit";
import styles from "./Menus.module.css";
import { currentFlow } from "./stage";
import { type CanvasMenu, useCanvas } from "./store";

addTexts(english);

/** The right-click menus of the canvas: of a node, a wire, the empty canvas, a selection, a frame or a note. */
export function Menus() {
  const { t } = useTranslation();
  const menu = useCanvas((state) => state.menu);
  return (
    <MenuAt at={menu?.at ?? null} onClose={() => useCanvas.setState({ menu: null })} label={t("menus.label")}>
      {menu && <Items menu={menu} />}
    </MenuAt>
  );
}

function Items({ menu }: { menu: CanvasMenu }) {
  const readOnly = useDoc((doc) => doc.readOnly);
  if (menu.kind === "pane") return <PaneItems menu={menu} readOnly={readOnly} />;
  if (menu.kind === "edge")
    return readOnly ? <Do id="canvas.fit" icon={<Maximize size={14} />} /> : <WireItems menu={menu} />;
  if (menu.kind === "extra") return <ExtraItems readOnly={readOnly} />;
  if (menu.kind === "selection") return <SelectionItems readOnly={readOnly} />;
  return <NodeItems id={menu.id} readOnly={readOnly} />;
}

/** An item that is a command: its name and its keys are said in one place. */
function Do({ id, icon, danger }: { id: string; icon?: ReactNode; danger?: boolean }) {
  const { t } = useTranslation();
  const command = commandById(id);
  if (!command) return null;
  // A menu has the keyboard, so what a command asks of the focus is true again when the menu is gone.
  const select = () => setTimeout(() => runCommand(id));
  return (
    <MenuItem icon={icon} danger={danger} shortcut={command.keys?.[0]} onSelect={select}>
      {t(command.titleKey)}
    </MenuItem>
  );
}

function PaneItems({ menu, readOnly }: { menu: CanvasMenu; readOnly: boolean }) {
  const { t } = useTranslation();
  const { at, canvas } = menu;
  const search = () => useSession.getState().openSearch({ at: [at.x, at.y], canvas, inside: menu.id || null });
  return (
    <>
      {!readOnly && (
        <>
          <MenuItem icon={<Search size={14} />} shortcut="/" onSelect={search}>
            {t("menus.add")}
          </MenuItem>
          <MenuItem icon={<StickyNote size={14} />} shortcut="Shift+N" onSelect={() => act.addNoteAt(canvas)}>
            {t("canvas.do.note")}
          </MenuItem>
          <MenuItem icon={<Frame size={14} />} onSelect={() => act.frameSelection(canvas)}>
            {t("menus.frameHere")}
          </MenuItem>
          <MenuItem
            icon={<ClipboardPaste size={14} />}
            shortcut="Ctrl+V"
            onSelect={() => void import("./clips").then((clips) => clips.pasteFromMenu(false, canvas))}
          >
            {t("canvas.do.paste")}
          </MenuItem>
          <MenuSeparator />
        </>
      )}
      <Do id="canvas.selectAll" />
      {!readOnly && <Do id="canvas.layout" icon={<AlignHorizontalDistributeCenter size={14} />} />}
      <Do id="canvas.fit" icon={<Maximize size={14} />} />
      <Do id="canvas.minimap" />
      {!readOnly && <Do id="canvas.snap" />}
      <Do id="canvas.wires" icon={<Spline size={14} />} />
      {currentPath().length > 0 && <Do id="canvas.up" icon={<LogOut size={14} />} />}
    </>
  );
}

function NodeItems({ id, readOnly }: { id: string; readOnly: boolean }) {
  const { t } = useTranslation();
  const body = useBody();
  const entry = body.nodes[id];
  if (!entry) return null;
  const instance = entry.type.startsWith("graph:");
  const region = currentFlow()?.getNode(id)?.type === "region";
  const sized = (body.view.nodes?.[id]?.length ?? 0) > 2;
  return (
    <>
      <Do id="canvas.settings" icon={<SlidersHorizontal size={14} />} />
      <Do id="run.toHere" icon={<Play size={14} />} />
      {instance && (
        <MenuItem icon={<LogIn size={14} />} onSelect={() => useTabs.getState().setPath([...currentPath(), id])}>
          {t("canvas.do.enter")}
        </MenuItem>
      )}
      <MenuSeparator />
      <Do id="canvas.copy" icon={<Copy size={14} />} />
      {!readOnly && (
        <>
          <Do id="canvas.duplicate" />
          <Do id="canvas.rename" icon={<Pencil size={14} />} />
          <MenuSeparator />
          <Do id="canvas.mute" icon={<MoonStar size={14} />} />
          {!instance && !region && <Do id="canvas.bypass" icon={<CornerDownRight size={14} />} />}
          {!region && <Do id="canvas.fold" />}
          <Do id="canvas.connect" icon={<Spline size={14} />} />
          {entry.in !== undefined && (
            <MenuItem icon={<LogOut size={14} />} onSelect={act.takeOut}>
              {t("menus.takeOut", { region: entry.in })}
            </MenuItem>
          )}
          {region && sized && (
            <MenuItem icon={<MoveDiagonal size={14} />} onSelect={() => act.fitRegion(id)}>
              {t("menus.fitRegion")}
            </MenuItem>
          )}
          <Do id="canvas.frame" icon={<Frame size={14} />} />
          {instance ? (
            <Do id="canvas.expand" icon={<Boxes size={14} />} />
          ) : (
            <Do id="canvas.subgraph" icon={<Boxes size={14} />} />
          )}
          <MenuSeparator />
          <Do id="canvas.deleteKeep" />
          <Do id="canvas.delete" icon={<Trash2 size={14} />} danger />
        </>
      )}
    </>
  );
}

function SelectionItems({ readOnly }: { readOnly: boolean }) {
  const { t } = useTranslation();
  if (readOnly) {
    return (
      <>
        <Do id="canvas.copy" icon={<Copy size={14} />} />
        <Do id="canvas.focus" icon={<Maximize size={14} />} />
      </>
    );
  }
  return (
    <>
      <Do id="run.toHere" icon={<Play size={14} />} />
      <MenuSeparator />
      <Do id="canvas.copy" icon={<Copy size={14} />} />
      <Do id="canvas.cut" icon={<Scissors size={14} />} />
      <Do id="canvas.duplicate" />
      <Do id="canvas.duplicateWired" />
      <MenuSeparator />
      <MenuSub label={t("menus.align")} icon={<AlignHorizontalDistributeCenter size={14} />}>
        <Do id="canvas.alignLeft" />
        <Do id="canvas.alignCenter" />
        <Do id="canvas.alignRight" />
        <MenuSeparator />
        <Do id="canvas.alignTop" />
        <Do id="canvas.alignMiddle" />
        <Do id="canvas.alignBottom" />
        <MenuSeparator />
        <Do id="canvas.spreadX" />
        <Do id="canvas.spreadY" />
      </MenuSub>
      <Do id="canvas.layout" />
      <MenuSeparator />
      <Do id="canvas.mute" icon={<MoonStar size={14} />} />
      <Do id="canvas.bypass" icon={<CornerDownRight size={14} />} />
      <Do id="canvas.fold" />
      <Do id="canvas.frame" icon={<Frame size={14} />} />
      <Do id="canvas.subgraph" icon={<Boxes size={14} />} />
      <MenuSeparator />
      <Do id="canvas.deleteKeep" />
      <Do id="canvas.delete" icon={<Trash2 size={14} />} danger />
    </>
  );
}

function WireItems({ menu }: { menu: CanvasMenu }) {
  const { t } = useTranslation();
  const body = useBody();
  const { index } = splitTarget(menu.id);
  const last = index === null ? 0 : listSize(body, bareTarget(menu.id)) - 1;
  const move = (place: number) =>
    edit("canvas.edit.reorder", (graph, path) => reorderWire(graph, path, menu.id, place));
  return (
    <>
      <MenuItem icon={<Plus size={14} />} onSelect={() => act.addOnWire(menu.id, menu.at, menu.canvas)}>
        {t("menus.addOnWire")}
      </MenuItem>
      <MenuItem icon={<Spline size={14} />} onSelect={() => act.rerouteWire(menu.id, menu.canvas)}>
        {t("menus.reroute")}
      </MenuItem>
      {index !== null && last > 0 && (
        <>
          <MenuItem icon={<ArrowUp size={14} />} disabled={index === 0} onSelect={() => move(index - 1)}>
            {t("menus.earlier")}
          </MenuItem>
          <MenuItem icon={<ArrowDown size={14} />} disabled={index === last} onSelect={() => move(index + 1)}>
            {t("menus.later")}
          </MenuItem>
        </>
      )}
      <MenuSeparator />
      <MenuItem icon={<Trash2 size={14} />} danger shortcut="Delete" onSelect={() => act.removeWires([menu.id])}>
        {t("menus.deleteWire")}
      </MenuItem>
    </>
  );
}

const COLOUR_KEYS = {
  grey: "menus.colour.grey",
  blue: "menus.colour.blue",
  green: "menus.colour.green",
  amber: "menus.colour.amber",
  red: "menus.colour.red",
  violet: "menus.colour.violet",
};

function ExtraItems({ readOnly }: { readOnly: boolean }) {
  const { t } = useTranslation();
  if (readOnly) return <Do id="canvas.copy" icon={<Copy size={14} />} />;
  return (
    <>
      <Do id="canvas.rename" icon={<Pencil size={14} />} />
      <MenuSub label={t("menus.colour")} icon={<Palette size={14} />}>
        {COLOURS.map((colour) => (
          <MenuItem
            key={colour}
            icon={<span className={styles.swatch} style={{ background: colourOf(colour) }} />}
            onSelect={() => act.colourExtras(colour)}
          >
            {t(COLOUR_KEYS[colour])}
          </MenuItem>
        ))}
      </MenuSub>
      <Do id="canvas.copy" icon={<Copy size={14} />} />
      <MenuSeparator />
      <Do id="canvas.delete" icon={<Trash2 size={14} />} danger />
    </>
  );
}
