import { lazy, type ReactNode, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Canvas } from "../canvas/Canvas";
import { Dock } from "../panels/Dock";
import { Inspector } from "../panels/Inspector";
import { DEFAULT_PREFERENCES, usePreferences } from "../state/preferences";
import { useSession } from "../state/session";
import { useTabs } from "../state/tabs";
import { cx, Splitter } from "../ui";
import { Breadcrumb } from "./Breadcrumb";
import { EmptyCanvas } from "./EmptyCanvas";
import { ErrorBoundary } from "./ErrorBoundary";
import styles from "./Layout.module.css";
import { LeftPanel } from "./LeftPanel";

const FormView = lazy(() => import("../panels/FormView").then(({ FormView }) => ({ default: FormView })));

const LEFT = { min: 200, max: 480 };
const RIGHT = { min: 240, max: 640 };
const DOCK = { min: 96, max: 720 };

/** Palette and outline, canvas or form, inspector, and the dock under the canvas; every line between them moves. */
export function Layout() {
  const { t } = useTranslation();
  const { leftWidth, rightWidth, dockHeight, set } = usePreferences();
  const left = useSession((state) => state.left.open);
  const right = useSession((state) => state.right.open);
  const dock = useSession((state) => state.dock.open);
  const view = useSession((state) => state.view);
  const active = useTabs((state) => state.active);
  const form = view === "form";
  const { leftWidth: leftStart, rightWidth: rightStart, dockHeight: dockStart } = DEFAULT_PREFERENCES;

  return (
    <div className={styles.page}>
      {left && !form && (
        <Region name="left" label={t("shell.region.left")} className={styles.side}>
          <div className={styles.panel} style={{ width: leftWidth }}>
            <ErrorBoundary part={t("shell.region.left")}>
              <LeftPanel />
            </ErrorBoundary>
          </div>
          <Splitter
            orientation="vertical"
            value={leftWidth}
            {...LEFT}
            label={t("shell.resize.left")}
            onChange={(value) => set("leftWidth", value)}
            onReset={() => set("leftWidth", leftStart)}
          />
        </Region>
      )}
      <div className={styles.centre}>
        <Region name="main" label={t(form ? "shell.region.form" : "shell.region.canvas")} className={styles.main} main>
          {!form && (
            <>
              <Breadcrumb />
              <div className={styles.fill}>
                <ErrorBoundary key={active} part={t("shell.region.canvas")}>
                  <Canvas />
                  <EmptyCanvas />
                </ErrorBoundary>
              </div>
            </>
          )}
          {form && (
            <ErrorBoundary key={active} part={t("shell.region.form")}>
              <Suspense fallback={null}>
                <FormView />
              </Suspense>
            </ErrorBoundary>
          )}
        </Region>
        {dock && (
          <Splitter
            orientation="horizontal"
            reverse
            value={dockHeight}
            {...DOCK}
            label={t("shell.resize.dock")}
            onChange={(value) => set("dockHeight", value)}
            onReset={() => set("dockHeight", dockStart)}
          />
        )}
        <Region
          name="dock"
          label={t("shell.region.dock")}
          className={cx(styles.dock, !dock && styles.closed)}
          height={dock ? dockHeight : undefined}
        >
          <ErrorBoundary part={t("shell.region.dock")}>
            <Dock />
          </ErrorBoundary>
        </Region>
      </div>
      {right && !form && (
        <Region name="right" label={t("shell.region.right")} className={styles.side}>
          <Splitter
            orientation="vertical"
            reverse
            value={rightWidth}
            {...RIGHT}
            label={t("shell.resize.right")}
            onChange={(value) => set("rightWidth", value)}
            onReset={() => set("rightWidth", rightStart)}
          />
          <div className={styles.panel} style={{ width: rightWidth }}>
            <ErrorBoundary part={t("shell.region.right")}>
              <Inspector />
            </ErrorBoundary>
          </div>
        </Region>
      )}
    </div>
  );
}

interface RegionProps {
  name: string;
  label: string;
  className: string | undefined;
  height?: number;
  main?: boolean;
  children: ReactNode;
}

/** A part of the page that F6 goes to. */
function Region({ name, label, className, height, main, children }: RegionProps) {
  const Tag = main ? "main" : "section";
  return (
    <Tag className={className} aria-label={label} data-region={name} tabIndex={-1} style={{ height }}>
      {children}
    </Tag>
  );
}
