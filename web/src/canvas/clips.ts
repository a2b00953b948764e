import { api } from "../api/client";
import { ApiFailure } from "../api/errors";
import type { GraphFile } from "../api/schema";
import { type BodyPath, bodyAt } from "../graph/body";
import { isClip } from "../graph/clip";
import { copy, duplicate as duplicateNodes, type Pasted, paste as pasteNodes } from "../graph/edit/paste";
import { setSetting } from "../graph/edit/settings";
import i18n from "../i18n";
import { insertNode } from "../shell/addNode";
import { importFile, importText, isGraphFile } from "../shell/documents";
import { attempt } from "../shell/report";
import { type Clipboard, readClipboard, writeText } from "../state/clipboard";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, currentPath } from "../state/tabs";
import { announce } from "../ui";
import { lastPointer, remove } from "./actions";
import { edit, isReadOnly } from "./edit";
import { FRAME, NOTE } from "./flow";
import { selectedAll, selectedNodes, selectOnly } from "./selection";
import { currentFlow, middleOfView, regionAt } from "./stage";

/** Copying, and taking in what was copied or dropped: nodes, graphs, pictures. Fetched when it is first needed. */

/** False: the browser refused, which was said. */
export async function copySelection(): Promise<boolean> {
  const all = selectedAll();
  if (all.length === 0) return false;
  const notes = all.filter((id) => id.startsWith(NOTE)).map((id) => id.slice(NOTE.length));
  const frames = all.filter((id) => id.startsWith(FRAME)).map((id) => id.slice(FRAME.length));
  const text = copy(currentDoc().getState().graph, currentPath(), selectedNodes(), { notes, frames });
  const done = await writeText(text);
  if (done) announce(i18n.t("canvas.say.copied", { count: all.length }));
  else useSession.getState().toast("warn", i18n.t("shell.copyRefused"));
  return done;
}

export async function cut(): Promise<void> {
  if (await copySelection()) remove(false);
}

/** Paste by a menu: the browser may refuse to be read without keys. */
export async function pasteFromMenu(keepIncoming: boolean, at?: [number, number]): Promise<void> {
  const held = await readClipboard();
  if (held === null) useSession.getState().toast("info", i18n.t("canvas.paste.byKey"));
  else await take(held, keepIncoming, at);
}

/** Take in what the clipboard holds: nodes, the text of a whole graph, or files. */
export async function take(held: Clipboard, keepIncoming = false, at?: [number, number]): Promise<void> {
  const { text, files } = held;
  if (isClip(text)) pasteClip(text, keepIncoming, at);
  else if (files.length > 0) await takeFiles(files, at);
  else if (/^\s*[{[]/.test(text)) await attempt(() => importText(text));
  else useSession.getState().toast("info", i18n.t("canvas.paste.nothing"));
}

function canEdit(): boolean {
  return currentFlow() !== null && !isReadOnly();
}

function pasteClip(text: string, keepIncoming: boolean, at?: [number, number]): void {
  if (!canEdit()) {
    useSession.getState().toast("info", i18n.t("canvas.paste.noCanvas"));
    return;
  }
  const where = at ?? lastPointer() ?? middleOfView();
  const inside = regionAt(...where);
  insert("canvas.edit.paste", (graph, path) => pasteNodes(graph, path, text, { at: where, keepIncoming, inside }));
}

export function duplicate(keepIncoming = false): void {
  const nodes = selectedNodes();
  if (nodes.length === 0) return;
  insert("canvas.edit.duplicate", (graph, path) => duplicateNodes(graph, path, nodes, { keepIncoming }));
}

function insert(label: string, make: (graph: GraphFile, path: BodyPath) => Pasted): void {
  let made: string[] = [];
  edit(label, (graph, path) => {
    const { graph: next, ids, notes, frames } = make(graph, path);
    made = [...ids, ...notes.map((id) => NOTE + id), ...frames.map((id) => FRAME + id)];
    return next;
  });
  if (made.length > 0) selectOnly(made);
}

const PICTURE = /\.(jpe?g|webp|bmp|gif|png)$/i;
/** The node that reads a picture of the workspace. */
const READER = "image.load";
/** Pictures that come together stand below each other. */
const APART = 140;

/** Files that were pasted or dropped: one with a graph inside opens, any other picture gets a node that reads it. */
export async function takeFiles(files: readonly File[], at?: [number, number]): Promise<void> {
  const [x, y] = at ?? lastPointer() ?? middleOfView();
  let row = 0;
  const unknown: File[] = [];
  for (const file of files) {
    if (isGraphFile(file) && (await opened(file))) continue;
    if (PICTURE.test(file.name) && canEdit()) {
      await attempt(() => addPicture(file, [x, y + row * APART]));
      row += 1;
    } else unknown.push(file);
  }
  if (unknown.length === 0) return;
  const names = unknown.map(({ name }) => name).join(", ");
  const body = i18n.t("shell.drop.taken", { names });
  useSession.getState().toast("warn", i18n.t("shell.drop.unknown"), { body });
}

/** Open the graph in a file; false for a picture without one. What is wrong with a graph is told. */
async function opened(file: File): Promise<boolean> {
  let plain = false;
  await attempt(async () => {
    try {
      await importFile(file);
    } catch (error) {
      plain = PICTURE.test(file.name) && error instanceof ApiFailure && error.code === "E_FILE" && canEdit();
      if (!plain) throw error;
    }
  });
  return !plain;
}

/** Upload a picture and put a reader of it on the canvas. */
async function addPicture(file: File, at: [number, number]): Promise<void> {
  const { uri } = await api.upload("data", [file]);
  const id = insertNode(READER, { canvas: at, inside: regionAt(...at) });
  const setting = readerSetting();
  if (id === null || setting === null) return;
  if (!Object.hasOwn(bodyAt(currentDoc().getState().graph, currentPath()).nodes, id)) return;
  edit("canvas.edit.picture", (graph, path) => setSetting(graph, path, id, setting, uri));
}

/** The setting of the reader that names the file. */
function readerSetting(): string | null {
  const properties = useSpecs.getState().index?.byId.get(READER)?.schema.properties ?? {};
  const found = Object.entries(properties).find(([, schema]) => schema["x-widget"]?.kind === "path");
  return found?.[0] ?? null;
}
