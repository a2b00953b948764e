import type { Doc } from "./document";
import type { Draft, WindowState } from "./drafts";

/**
 * What a page that goes away has not brought into the database yet. A page that unloads waits for nothing, so this is
 * written in one go into the storage that needs no waiting, and taken out at the next start.
 */
export interface Rescue {
  state: WindowState;
  drafts: readonly Draft[];
}

const KEY = "hcpgraph.rescue.";

/** A graph that was not edited since it was saved is one object with it; as text that must be said. */
type DocText = Omit<Doc, "saved"> & { saved: Doc["saved"] | "same" };

/** False: the storage does not take it. */
export function writeRescue(window: string, { state, drafts }: Rescue): boolean {
  const texts = drafts.map((draft) => {
    const doc: DocText = { ...draft.doc, saved: draft.doc.saved === draft.doc.graph ? "same" : draft.doc.saved };
    return { ...draft, doc };
  });
  try {
    localStorage.setItem(KEY + window, JSON.stringify({ state, drafts: texts }));
    return true;
  } catch {
    return false;
  }
}

/** By window. */
export function readRescues(): Map<string, Rescue> {
  const found = new Map<string, Rescue>();
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith(KEY)) continue;
    try {
      const { state, drafts } = JSON.parse(localStorage.getItem(key) ?? "") as { state: WindowState; drafts: Draft[] };
      const docs = drafts.map((draft) => {
        const doc = draft.doc as unknown as DocText;
        return { ...draft, doc: { ...doc, saved: doc.saved === "same" ? doc.graph : doc.saved } };
      });
      found.set(key.slice(KEY.length), { state, drafts: docs });
    } catch {
      // Of another version of the page: what the database has counts.
    }
  }
  return found;
}

export function forgetRescue(window: string): void {
  localStorage.removeItem(KEY + window);
}
