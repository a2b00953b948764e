import { useVirtualizer } from "@tanstack/react-virtual";
import { CircleAlert, Copy, Info, ScrollText, TriangleAlert } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { LogLine } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/log.json";
import { writeText } from "../state/clipboard";
import { useRuns } from "../state/run";
import { useSession } from "../state/session";
import { Button, cx, EmptyState, Select, Switch } from "../ui";
import { formatClock } from "./format";
import styles from "./Log.module.css";

addTexts(english);

const ALL = "*";
type Level = typeof ALL | "warning" | "error";

function rankOf(level: string): number {
  if (level === "error" || level === "critical") return 2;
  return level === "warning" || level === "warn" ? 1 : 0;
}
const LEAST: Record<Level, number> = { [ALL]: 0, warning: 1, error: 2 };

export function filterLog(log: readonly LogLine[], level: Level, node: string): readonly LogLine[] {
  if (level === ALL && node === ALL) return log;
  return log.filter((line) => rankOf(line.level) >= LEAST[level] && (node === ALL || line.node === node));
}

/** What the nodes of the shown run said, the newest at the end. */
export function Log() {
  const { t } = useTranslation();
  const log = useRuns((state) => state.log);
  const active = useRuns((state) => state.active);
  const [level, setLevel] = useState<Level>(ALL);
  const [node, setNode] = useState<string>(ALL);
  const [follow, setFollow] = useState(true);
  const nodes = useMemo(() => [...new Set(log.flatMap((line) => line.node ?? []))].sort(), [log]);
  // A filter for a node of another run would hide everything.
  const chosen = nodes.includes(node) ? node : ALL;
  const lines = useMemo(() => filterLog(log, level, chosen), [log, level, chosen]);

  if (active === null || log.length === 0) {
    return <EmptyState icon={<ScrollText size={18} />} title={t(active === null ? "dock.noRun" : "log.empty")} />;
  }
  const text = () =>
    lines.map((line) => `${new Date(line.t * 1000).toISOString()} ${line.node ?? ""}: ${line.message}`);
  return (
    <div className={styles.panel}>
      <div className={styles.bar}>
        <Select<Level>
          size="s"
          className={styles.filter}
          label={t("log.level")}
          value={level}
          onChange={setLevel}
          options={[
            { value: ALL, label: t("log.all") },
            { value: "warning", label: t("log.warnings") },
            { value: "error", label: t("log.errors") },
          ]}
        />
        <Select
          size="s"
          className={styles.filter}
          label={t("log.node")}
          value={chosen}
          onChange={setNode}
          options={[{ value: ALL, label: t("log.allNodes") }, ...nodes.map((one) => ({ value: one, label: one }))]}
        />
        <Switch checked={follow} onChange={setFollow} label={t("log.follow")} />
        <span className={styles.space} />
        <Button size="s" icon={<Copy size={13} />} onClick={() => void writeText(text().join("\n"))}>
          {t("log.copy")}
        </Button>
      </div>
      <Lines lines={lines} follow={follow} onFollow={setFollow} />
    </div>
  );
}

interface LinesProps {
  lines: readonly LogLine[];
  follow: boolean;
  onFollow: (follow: boolean) => void;
}

function Lines({ lines, follow, onFollow }: LinesProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLElement>(null);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => 22,
    overscan: 12,
    getItemKey: (index) => lines[index]?.seq ?? index,
  });
  const count = lines.length;
  useEffect(() => {
    if (follow && count > 0) rows.scrollToIndex(count - 1, { align: "end" });
  }, [follow, count, rows]);

  // Reading further up is a wish not to be pulled down again.
  const wheel = (deltaY: number) => follow && deltaY < 0 && onFollow(false);
  const keys = (key: string) => follow && ["ArrowUp", "PageUp", "Home"].includes(key) && onFollow(false);
  return (
    <section
      ref={box}
      className={styles.lines}
      aria-label={t("log.lines")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
      tabIndex={0}
      onWheel={(event) => wheel(event.deltaY)}
      onKeyDown={(event) => keys(event.key)}
    >
      <div className={styles.all} style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const line = lines[row.index];
          return (
            line && (
              <div
                key={row.key}
                ref={rows.measureElement}
                data-index={row.index}
                className={styles.place}
                style={{ transform: `translateY(${row.start}px)` }}
              >
                <Line line={line} />
              </div>
            )
          );
        })}
      </div>
    </section>
  );
}

function Line({ line }: { line: LogLine }) {
  const { t, i18n } = useTranslation();
  const focusNode = useSession((state) => state.focusNode);
  const here = useRuns((state) => state.tab !== null && state.shown[state.tab] === state.active);
  const rank = rankOf(line.level);
  const Icon = rank === 2 ? CircleAlert : rank === 1 ? TriangleAlert : Info;
  const { node } = line;
  return (
    <div className={cx(styles.line, rank === 2 && styles.error, rank === 1 && styles.warning)}>
      <time className={styles.time}>{formatClock(line.t, i18n.language)}</time>
      <Icon size={13} aria-label={t(`log.level.${rank}`)} />
      {node !== undefined && here ? (
        <button type="button" className={styles.node} onClick={() => focusNode(node)}>
          {node}
        </button>
      ) : (
        <span className={styles.node}>{node}</span>
      )}
      <span className={styles.message}>{line.message}</span>
    </div>
  );
}
