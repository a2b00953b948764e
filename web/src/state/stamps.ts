import { useEffect } from "react";
import { create } from "zustand";
import { api } from "../api/client";
import { useQueue } from "./queue";

/**
 * What changes with the content of the files that the page shows. A run, another program or a hand may write one anew
 * under the same name: its stamp is part of the address, so that the new content is shown.
 */
interface StampStore {
  /** By address; null: not there. */
  stamps: Readonly<Record<string, string | null>>;
}

const useStampStore = create<StampStore>()(() => ({ stamps: {} }));

/** Requests that come together are one. */
const DELAY = 60;
const AT_ONCE = 1000;

const shown = new Map<string, number>();
let asking = false;

/** Ask for the stamps of everything that is shown, soon. */
export function refreshStamps(): void {
  if (asking) return;
  asking = true;
  setTimeout(() => void ask(), DELAY);
}

async function ask(): Promise<void> {
  asking = false;
  const uris = [...shown.keys()];
  for (let at = 0; at < uris.length; at += AT_ONCE) {
    try {
      const found = await api.stamps(uris.slice(at, at + AT_ONCE));
      const { stamps } = useStampStore.getState();
      const changed = Object.entries(found).some(([uri, stamp]) => stamps[uri] !== stamp);
      if (changed) useStampStore.setState({ stamps: { ...stamps, ...found } });
    } catch {
      // The connection is gone: what is shown stays, and the next occasion asks again.
      return;
    }
  }
}

/** Look again whenever something may have been written: a run has ended, or the person comes back to the page. */
export function followStamps(): () => void {
  const back = () => document.visibilityState === "visible" && refreshStamps();
  window.addEventListener("focus", back);
  document.addEventListener("visibilitychange", back);
  const stop = useQueue.subscribe(({ jobs }, before) => {
    if (jobs !== before.jobs) refreshStamps();
  });
  return () => {
    stop();
    window.removeEventListener("focus", back);
    document.removeEventListener("visibilitychange", back);
  };
}

/** Keep the stamps of these files fresh while the component is there; `told` changes when one is known to be written. */
export function useStamps(uris: readonly string[], told: unknown): StampStore["stamps"] {
  const names = uris.join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: `told` is the occasion to look again
  useEffect(() => {
    if (names === "") return;
    const mine = names.split("\n");
    for (const uri of mine) shown.set(uri, (shown.get(uri) ?? 0) + 1);
    refreshStamps();
    return () => {
      for (const uri of mine) {
        const left = (shown.get(uri) ?? 1) - 1;
        if (left > 0) shown.set(uri, left);
        else shown.delete(uri);
      }
    };
  }, [names, told]);
  return useStampStore((state) => state.stamps);
}

/** The stamp of one file; undefined while it is not known, null where the file is not there. */
export function useStamp(uri: string | undefined | null, told: unknown): string | null | undefined {
  const stamps = useStamps(uri ? [uri] : [], told);
  return uri ? stamps[uri] : undefined;
}
