import { problemsOf } from "../api/errors";
import { EditError } from "../graph/error";
import i18n from "../i18n";
import { useSession } from "../state/session";

/** Say what went wrong: what an edit refused, what the server answered, or what broke here. */
export function report(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const { toast } = useSession.getState();
  if (error instanceof EditError) {
    toast("warn", i18n.t(error.key, error.values));
    return;
  }
  const [problem] = problemsOf(error);
  if (!problem) return;
  if (problem.code === "E_OFFLINE")
    toast("error", i18n.t("shell.offline.title"), { body: i18n.t("shell.offline.hint") });
  else toast("error", problem.message, { body: problem.hint });
}

/** For handlers: run it, report what it throws; undefined if it threw. */
export async function attempt<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    report(error);
    return undefined;
  }
}
