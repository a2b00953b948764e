import { lazy, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { ApiFailure, problemsOf } from "../api/errors";
import type { Problem } from "../api/schema";
import { onPaste } from "../state/clipboard";
import { installShortcuts } from "../state/commands";
import { isDirty } from "../state/document";
import { useDraftFailure } from "../state/drafts";
import { followTheme } from "../state/preferences";
import { useSession } from "../state/session";
import { useTabs } from "../state/tabs";
import { Button, EmptyState, Spinner, TooltipProvider } from "../ui";
import styles from "./App.module.css";
import { Banners } from "./Banners";
import { boot, keepGoing } from "./boot";
import { DropZone } from "./DropZone";
import { ErrorBoundary } from "./ErrorBoundary";
import { Layout } from "./Layout";
import { prefetch } from "./prefetch";
import { report } from "./report";
import { registerShellCommands } from "./shellCommands";
import { TopBar } from "./TopBar";

const Toaster = lazy(() => import("../ui/Toast").then(({ Toaster }) => ({ default: Toaster })));
const Mobile = lazy(() => import("./Mobile").then(({ Mobile }) => ({ default: Mobile })));
const Search = lazy(() => import("../panels/Search").then(({ Search }) => ({ default: Search })));
const CommandPalette = lazy(() =>
  import("../panels/CommandPalette").then(({ CommandPalette }) => ({ default: CommandPalette })),
);
const Dialogs = lazy(() => import("../dialogs/Dialogs").then(({ Dialogs }) => ({ default: Dialogs })));

/** The width from which on the page has panels beside each other. */
const WIDE = "(width >= 768px)";

type Start = { state: "starting" } | { state: "ready" } | { state: "failed"; problem: Problem; status: number };

export function App() {
  const [start, setStart] = useState<Start>({ state: "starting" });
  const [round, setRound] = useState(0);

  useEffect(followTheme, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` rises when the person asks for another try
  useEffect(() => {
    let gone = false;
    let stop = () => {};
    boot().then(
      () => {
        if (gone) return;
        stop = keepGoing();
        setStart({ state: "ready" });
      },
      (error: unknown) => {
        const [problem] = problemsOf(error);
        const status = error instanceof ApiFailure ? error.status : 0;
        if (!gone && problem) setStart({ state: "failed", problem, status });
      },
    );
    return () => {
      gone = true;
      stop();
    };
  }, [round]);

  if (start.state === "starting") return <Starting />;
  if (start.state === "failed") {
    const again = () => {
      setStart({ state: "starting" });
      setRound((now) => now + 1);
    };
    return <Failed problem={start.problem} status={start.status} again={again} />;
  }
  return (
    <ErrorBoundary>
      <Page />
    </ErrorBoundary>
  );
}

function Page() {
  const compact = useCompact();
  const toasts = useSession((state) => state.toasts);
  const dismiss = useSession((state) => state.dismiss);
  const dialog = useSession((state) => state.dialog !== null);
  const search = useSession((state) => state.search !== null);
  const palette = useSession((state) => state.palette);
  useEffect(installShortcuts, []);
  useEffect(registerShellCommands, []);
  useEffect(() => onPaste((held) => import("../canvas/clips").then((clips) => clips.take(held))), []);
  useEffect(prefetch, []);
  const failed = useDraftFailure();
  useEffect(() => (failed ? warnBeforeLoss() : undefined), [failed]);
  return (
    <TooltipProvider>
      <div className={styles.app}>
        {!compact && <TopBar />}
        <Banners />
        {compact ? (
          <Suspense fallback={<Spinner />}>
            <Mobile />
          </Suspense>
        ) : (
          <Layout />
        )}
      </div>
      <ErrorBoundary key={`${search} ${palette} ${dialog}`} onError={closeOverlays}>
        <Suspense fallback={null}>
          {search && <Search />}
          {palette && <CommandPalette />}
          {dialog && <Dialogs />}
        </Suspense>
      </ErrorBoundary>
      <DropZone />
      <ErrorBoundary onError={() => useSession.setState({ toasts: [] })}>
        <Suspense fallback={null}>{toasts.length > 0 && <Toaster toasts={toasts} onDismiss={dismiss} />}</Suspense>
      </ErrorBoundary>
    </TooltipProvider>
  );
}

/** A dialog that breaks, or that could not be fetched, takes nothing with it. */
function closeOverlays(error: unknown): void {
  const { dialog, closeSearch, setPalette } = useSession.getState();
  dialog?.onClose(null);
  closeSearch();
  setPalette(false);
  report(error);
}

/** Whether the page is as narrow as a phone; the stores hear of it too. */
function useCompact(): boolean {
  const compact = useSession((state) => state.compact);
  useEffect(() => {
    const query = window.matchMedia(WIDE);
    const apply = () => useSession.getState().setCompact(!query.matches);
    apply();
    query.addEventListener("change", apply);
    return () => query.removeEventListener("change", apply);
  }, []);
  return compact;
}

/** Ask before the page closes with changes that are kept nowhere; otherwise drafts bring them back. */
function warnBeforeLoss(): () => void {
  const leave = (event: BeforeUnloadEvent) => {
    if (useTabs.getState().tabs.some((tab) => isDirty(tab.doc.getState()))) event.preventDefault();
  };
  window.addEventListener("beforeunload", leave);
  return () => window.removeEventListener("beforeunload", leave);
}

function Starting() {
  const { t } = useTranslation();
  return (
    <div className={styles.centre} role="status" aria-label={t("shell.starting")}>
      <Spinner size={20} />
    </div>
  );
}

function Failed({ problem, status, again }: { problem: Problem; status: number; again: () => void }) {
  const { t } = useTranslation();
  const key = status === 401 ? "token" : status === 0 ? "offline" : "other";
  return (
    <div className={styles.centre} role="alert">
      <EmptyState
        title={t(`shell.failed.${key}`)}
        action={
          <Button variant="primary" onClick={again}>
            {t("shell.again")}
          </Button>
        }
      >
        {t(`shell.failed.${key}.hint`)}
        {key === "other" && <p>{problem.message}</p>}
      </EmptyState>
    </div>
  );
}
