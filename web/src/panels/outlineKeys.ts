import type { KeyboardEvent } from "react";
import type { VisibleRow } from "./outlineRows";

/** What a key means in the outline. */
export type OutlineAct =
  | { does: "go"; to: number; add: boolean }
  | { does: "type"; letter: string }
  | { does: "toggle" | "jump" | "rename" | "remove" | "mute" | "connect" };

interface Place {
  rows: readonly VisibleRow[];
  at: number;
  /** Rows that fit on the screen. */
  page: number;
  /** Nothing can be edited. */
  fixed: boolean;
}
type Keys = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/** The keys of a tree view, and those that edit. null: the key is somebody else's. */
export function outlineAct(event: Keys, { rows, at, page, fixed }: Place): OutlineAct | null {
  const here = rows[at];
  if (!here || event.altKey) return null;
  const go = (to: number, add = false): OutlineAct => ({
    does: "go",
    to: Math.min(Math.max(to, 0), rows.length - 1),
    add,
  });
  if (event.ctrlKey || event.metaKey) {
    const mute = event.key.toLowerCase() === "m" && !event.shiftKey && !fixed && here.row.kind === "node";
    return mute ? { does: "mute" } : null;
  }
  switch (event.key) {
    case "ArrowDown":
      return go(at + 1, event.shiftKey);
    case "ArrowUp":
      return go(at - 1, event.shiftKey);
    case "PageDown":
      return go(at + page);
    case "PageUp":
      return go(at - page);
    case "Home":
      return go(0);
    case "End":
      return go(rows.length - 1);
    case "ArrowRight":
      if (here.open === null) return null;
      return here.open ? go(at + 1) : { does: "toggle" };
    case "ArrowLeft":
      if (here.open) return { does: "toggle" };
      return here.parent === null ? null : go(rows.findIndex((one) => one.row.key === here.parent));
    case "Enter":
      return { does: "jump" };
    case " ":
      return { does: here.open === null ? "jump" : "toggle" };
  }
  const edit = fixed ? null : editOf(event.key, here);
  if (edit) return { does: edit };
  return /^[\p{L}\p{N}]$/u.test(event.key) ? { does: "type", letter: event.key } : null;
}

function editOf(key: string, { row }: VisibleRow): "rename" | "remove" | "connect" | null {
  if (key === "F2" && row.kind === "node") return "rename";
  if (key === "Delete" || key === "Backspace") return "remove";
  // On a node the letter looks for a title.
  if (key.toLowerCase() === "c" && row.kind === "port") return "connect";
  return null;
}
