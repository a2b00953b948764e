import { useEffect, useState } from "react";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { FileEntry, Problem } from "../api/schema";

const FRESH = 4000;
const known = new Map<string, { at: number; reply: Promise<FileEntry[]> }>();

/** What lies in a folder; asked once in four seconds however many fields want to know. */
export function listing(folder: string): Promise<FileEntry[]> {
  const last = known.get(folder);
  if (last && performance.now() - last.at < FRESH) return last.reply;
  const reply = api.files(folder);
  known.set(folder, { at: performance.now(), reply });
  reply.catch(() => known.delete(folder));
  return reply;
}

/** Something was uploaded or removed: ask again. */
export function forgetListings(): void {
  known.clear();
}

export interface Listing {
  entries: FileEntry[] | null;
  problem: Problem | null;
}

/** What lies in a folder; `turn` rises to ask again. Null asks nothing. */
export function useListing(folder: string | null, turn = 0): Listing {
  const [state, setState] = useState<Listing & { folder: string | null }>({ entries: null, problem: null, folder });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` is the wish to ask again
  useEffect(() => {
    if (folder === null) return;
    let wanted = true;
    listing(folder).then(
      (entries) => wanted && setState({ entries, problem: null, folder }),
      (error: unknown) => wanted && setState({ entries: null, problem: problemsOf(error)[0] ?? null, folder }),
    );
    return () => {
      wanted = false;
    };
  }, [folder, turn]);
  return state.folder === folder ? state : { entries: null, problem: null };
}
