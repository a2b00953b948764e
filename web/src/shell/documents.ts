import { api } from "../api/client";
import { ApiFailure } from "../api/errors";
import type { Capabilities, Imported } from "../api/schema";
import i18n from "../i18n";
import { readClipboard, writeText } from "../state/clipboard";
import { createDocument, type Doc, docOf, isDirty } from "../state/document";
import { useSession } from "../state/session";
import { currentDoc, newTab, useTabs } from "../state/tabs";

/** Opening, saving and sharing documents. Every function throws ApiFailure; handlers wrap them in `attempt`. */

export function newGraph(): void {
  useTabs.getState().openNew();
}

export async function openTemplate(name: string): Promise<void> {
  const opened = await api.template(name);
  useTabs.getState().open(opened, "template");
}

/** A graph of the workspace; the tab that already has it comes to the front with what was edited in it. */
export async function openGraph(name: string): Promise<void> {
  const { tabs, activate, open } = useTabs.getState();
  const there = tabs.find((tab) => tab.doc.getState().name === name);
  if (there) activate(there.id);
  else open(await api.graph(name), "workspace");
}

export async function openRunGraph(job: string): Promise<void> {
  const opened = await api.jobGraph(job);
  useTabs.getState().open(opened, "run");
}

/** The graph that is inside a picture or a weight file of the workspace. */
export async function openFileGraph(uri: string): Promise<void> {
  await openImported(await api.fileGraph(uri));
}

/** What a graph from elsewhere asks for that is not simply there: worth a look before it opens. */
function wantsALook(capabilities: Capabilities): boolean {
  return (
    capabilities.types_missing.length > 0 ||
    capabilities.packs.some((pack) => !pack.ok) ||
    capabilities.objects.some((object) => !object.trusted) ||
    capabilities.writes.some((write) => write.problem !== null) ||
    capabilities.unknown.length > 0 ||
    capabilities.reads.some((read) => !read.exists) ||
    capabilities.files.some((file) => file.found === null || file.same === false)
  );
}

async function openImported(imported: Imported): Promise<void> {
  const { graph, capabilities } = imported;
  if (wantsALook(capabilities)) {
    const answer = await useSession.getState().openDialog("import", { graph, capabilities, purpose: "open" });
    if (answer === null) return;
    if (answer === "readOnly") {
      const tab = newTab(createDocument({ ...docOf(imported, "import"), readOnly: true }));
      useTabs.getState().restore([tab], tab.id);
      return;
    }
  }
  useTabs.getState().open(imported, "import");
}

const GRAPH_FILES = /\.(json|png|safetensors)$/i;
/** What of a weight file is sent: its header is at the front, and no header that we write is larger. */
const HEAD = 16 * 1024 * 1024;

export function isGraphFile(file: File): boolean {
  return GRAPH_FILES.test(file.name);
}

export async function importFile(file: File): Promise<void> {
  const part = /\.safetensors$/i.test(file.name) ? file.slice(0, HEAD) : file;
  await openImported(await api.import(part));
}

/** A graph as text, as from the clipboard. */
export async function importText(text: string): Promise<void> {
  await openImported(await api.import(text));
}

export async function importFromClipboard(): Promise<void> {
  const held = await readClipboard();
  if (held === null) useSession.getState().toast("info", i18n.t("canvas.paste.byKey"));
  else await importText(held.text);
}

/** Let the person choose files of the machine. */
export function chooseFiles(accept: string, many = false): Promise<File[]> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.multiple = many;
    input.onchange = () => resolve([...(input.files ?? [])]);
    input.oncancel = () => resolve([]);
    input.click();
  });
}

export async function importFromDisk(): Promise<void> {
  for (const file of await chooseFiles(".json,.png,.safetensors", true)) await importFile(file);
}

/** A text field hands its value over when it loses the focus: do that before anything reads the document. */
export function commitFields(): void {
  const active = document.activeElement;
  if (active instanceof HTMLInputElement || active instanceof HTMLTextAreaElement) {
    active.blur();
    active.focus({ preventScroll: true });
  }
}

/** A file name for a document that has none: its title, in letters that every system takes. */
export function suggestedName(doc: Pick<Doc, "graph" | "name">): string {
  if (doc.name) return doc.name;
  const title = (doc.graph.meta.title ?? "").trim().normalize("NFKC");
  return (
    title
      .replace(/[^\p{L}\p{N}_-]+/gu, "_")
      .replace(/^_+|_+$/g, "")
      .toLowerCase() || "graph"
  );
}

/** Save where it came from, or ask for a name. False: not saved. */
export async function save(): Promise<boolean> {
  commitFields();
  const doc = currentDoc();
  const { graph, name, etag, origin, readOnly } = doc.getState();
  if (origin !== "workspace" || !name || readOnly) return saveAs();
  try {
    doc.mark(await api.saveGraph(name, graph, etag), graph);
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.code !== "E_CONFLICT") throw error;
    return solveConflict(name);
  }
  saidSaved(name);
  return true;
}

async function solveConflict(name: string): Promise<boolean> {
  const doc = currentDoc();
  const answer = await useSession.getState().openDialog("conflict", { name });
  if (answer === null) return false;
  if (answer === "saveAs") return saveAs();
  const there = await api.graph(name).catch((error: unknown) => {
    if (error instanceof ApiFailure && error.status === 404) return null;
    throw error;
  });
  if (answer === "theirs") {
    if (there) doc.replace(there);
    return there !== null;
  }
  const { graph } = doc.getState();
  doc.mark(await api.saveGraph(name, graph, there?.etag ?? null), graph);
  saidSaved(name);
  return true;
}

export async function saveAs(): Promise<boolean> {
  commitFields();
  const doc = currentDoc();
  const answer = await useSession.getState().openDialog("saveAs", { name: suggestedName(doc.getState()) });
  if (!answer) return false;
  const { graph } = doc.getState();
  doc.mark(await api.saveGraph(answer.name, graph, answer.etag), graph);
  saidSaved(answer.name);
  return true;
}

function saidSaved(name: string): void {
  useSession.getState().toast("ok", i18n.t("shell.saved", { name }));
}

/** The canonical text, made by the server, as a file of the machine. */
export async function download(): Promise<void> {
  commitFields();
  const doc = currentDoc();
  const { text } = await api.format(doc.getState().graph);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `${suggestedName(doc.getState()).replaceAll("/", "-")}.json`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export async function copyAsText(): Promise<void> {
  commitFields();
  const doc = currentDoc();
  const { text } = await api.format(doc.getState().graph);
  const done = await writeText(text);
  useSession.getState().toast(done ? "ok" : "warn", i18n.t(done ? "shell.copied" : "shell.copyRefused"));
}

/** Close a tab, after a question if it has changes that are saved nowhere. */
export async function closeTab(id: string): Promise<void> {
  const { tabs, close } = useTabs.getState();
  const tab = tabs.find((one) => one.id === id);
  if (!tab) return;
  if (isDirty(tab.doc.getState())) {
    const answer = await useSession.getState().openDialog("confirm", {
      title: i18n.t("shell.close.title"),
      text: i18n.t("shell.close.text", { name: titleOf(tab.doc.getState()) }),
      confirm: i18n.t("shell.close.confirm"),
      danger: true,
    });
    if (!answer) return;
  }
  close(id);
}

/** What a document is called: its title, else its file, else "Untitled". */
export function titleOf(doc: Pick<Doc, "graph" | "name">): string {
  return doc.name?.split("/").at(-1) || doc.graph.meta.title || i18n.t("shell.untitled");
}
