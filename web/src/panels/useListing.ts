import { useCallback, useEffect, useRef, useState } from "react";
import { problemsOf } from "../api/errors";
import type { Problem } from "../api/schema";

export interface Listing<T> {
  items: T[] | null;
  problem: Problem | null;
  reload: () => void;
}

/** A list that the server has: read when `load` changes, on `reload`, and when the window comes back to the front. */
export function useListing<T>(load: (signal: AbortSignal) => Promise<T[]>): Listing<T> {
  const [items, setItems] = useState<T[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const running = useRef<AbortController | null>(null);

  const reload = useCallback(() => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    load(control.signal).then(
      (found) => {
        if (control.signal.aborted) return;
        setItems(found);
        setProblem(null);
      },
      (error: unknown) => {
        if (!control.signal.aborted) setProblem(problemsOf(error)[0] ?? null);
      },
    );
  }, [load]);

  useEffect(() => {
    setItems(null);
    reload();
    window.addEventListener("focus", reload);
    return () => {
      window.removeEventListener("focus", reload);
      running.current?.abort();
    };
  }, [reload]);
  return { items, problem, reload };
}
