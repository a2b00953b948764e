import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { Problem, Uploaded } from "../api/schema";
import type { Dropped } from "./dropped";
import { forgetListings } from "./useListing";

export interface Upload {
  /** 0 … 1 while files are sent, else null. */
  progress: number | null;
  problem: Problem | null;
  /** Sends files; null if that failed or was cancelled. */
  send: (root: "data" | "models", dropped: Dropped) => Promise<Uploaded | null>;
  cancel: () => void;
}

/** Files on their way into the workspace. Leaving the panel does not stop them, `cancel` does. */
export function useUpload(): Upload {
  const [progress, setProgress] = useState<number | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const running = useRef<AbortController | null>(null);
  const shown = useRef(true);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);

  const send = useCallback(async (root: "data" | "models", { files, folder }: Dropped): Promise<Uploaded | null> => {
    const cancel = new AbortController();
    running.current?.abort();
    running.current = cancel;
    setProblem(null);
    setProgress(0);
    try {
      return await api.upload(root, files, {
        folder: folder ?? undefined,
        signal: cancel.signal,
        onProgress: (sent, total) => shown.current && setProgress(total > 0 ? sent / total : 0),
      });
    } catch (error) {
      if (!cancel.signal.aborted && shown.current) setProblem(problemsOf(error)[0] ?? null);
      return null;
    } finally {
      forgetListings();
      if (running.current === cancel && shown.current) setProgress(null);
    }
  }, []);
  const cancel = useCallback(() => running.current?.abort(), []);
  return { progress, problem, send, cancel };
}
