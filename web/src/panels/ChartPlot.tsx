import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import styles from "./Chart.module.css";
import { aligned, COLOURS, cluster, type Line, type Marker, type PlacedMarkers } from "./chartData";
import type { View } from "./chartView";
import { formatNumber } from "./format";

export interface ChartPlotProps {
  lines: readonly Line[];
  log: boolean;
  view: View | null;
  onView: (view: View | null) => void;
  /** The step under the pointer; null: none. */
  onStep: (step: number | null) => void;
  markers: readonly Marker[];
  /** Drawn as a line. */
  revealed: number | null;
  language: string;
  /** Where to draw the buttons of the markers. */
  renderMarkers: (placed: readonly PlacedMarkers[]) => React.ReactNode;
}

const MARKER_WIDTH = 26;
const DASHES = [6, 4];

/** The canvas: a thin shell around uPlot. What it shows is told in text beside it. */
export default function ChartPlot(props: ChartPlotProps) {
  const { lines, log, language, markers, revealed } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const theme = useTheme();
  const [placed, setPlaced] = useState<readonly PlacedMarkers[]>([]);
  const data = useMemo(() => aligned(lines) as uPlot.AlignedData, [lines]);
  const first = useRef(data);
  first.current = data;
  // Another set of lines is another plot; new points in the same lines are not.
  const shape = lines.map((line) => `${line.series.key} ${line.raw} ${line.series.colour}`).join("|");

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for the lines, `theme` for the colours
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const place = (u: uPlot) => setPlaced((before) => same(before, placeMarkers(u, latest.current.markers)));
    const options = optionsFor(element, latest, place);
    const made = new uPlot(options, first.current, element);
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize(sizeOf(element)));
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, log, theme, language]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another view is drawn with the same data
  useEffect(() => plot.current?.setData(data), [data, props.view]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: both are drawn over the lines
  useEffect(() => plot.current?.redraw(false), [markers, revealed]);

  return (
    <div className={styles.plot}>
      <div ref={box} className={styles.canvas} aria-hidden="true" />
      {props.renderMarkers(placed)}
    </div>
  );
}

type Latest = { readonly current: ChartPlotProps };

function optionsFor(element: HTMLElement, latest: Latest, place: (u: uPlot) => void): uPlot.Options {
  const { lines, log, language } = latest.current;
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const text = (_: uPlot, values: number[]) => values.map((value) => formatNumber(value, language));
  const axis: uPlot.Axis = {
    stroke: colour("--text-muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), size: 4 },
    font: `11px ${style.fontFamily}`,
    values: text,
  };
  const axes: uPlot.Axis[] = [
    { ...axis, size: 28 },
    { ...axis, scale: "value", size: 58 },
  ];
  if (lines.some((line) => line.series.axis === "rate")) {
    axes.push({ ...axis, scale: "rate", side: 1, size: 58, grid: { show: false } });
  }
  return {
    ...sizeOf(element),
    legend: { show: false },
    scales: {
      x: { time: false, range: (_, low, high) => [...(latest.current.view ?? wide(low, high))] as [number, number] },
      value: { distr: log ? 3 : 1 },
      rate: {},
    },
    axes,
    series: [
      {},
      ...lines.map(({ series, raw }): uPlot.Series => {
        const dash = series.overlaid && !raw ? { dash: DASHES } : {};
        return {
          label: series.label,
          scale: series.axis,
          stroke: colour(`--series-${series.colour % COLOURS}`),
          width: raw ? 1 : series.axis === "rate" ? 1 : 2,
          alpha: raw ? 0.32 : 1,
          spanGaps: true,
          ...dash,
        };
      }),
    ],
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { show: false },
      // Both are ours: what is in sight decides which points are drawn.
      bind: { dblclick: () => () => null },
    },
    hooks: {
      setSelect: [(u) => select(u, latest)],
      setCursor: [
        ({ cursor, data }) => latest.current.onStep(cursor.idx == null ? null : (data[0][cursor.idx] ?? null)),
      ],
      draw: [(u) => drawRevealed(u, latest.current.revealed, colour("--accent-text")), place],
      ready: [(u) => u.over.addEventListener("dblclick", () => latest.current.onView(null))],
    },
  };
}

function select(u: uPlot, latest: Latest): void {
  const { left, width } = u.select;
  if (width < 4) return;
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  latest.current.onView([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
}

function drawRevealed(u: uPlot, step: number | null, colour: string): void {
  const { min, max } = u.scales.x ?? {};
  if (step === null || min == null || max == null || step < min || step > max) return;
  const x = Math.round(u.valToPos(step, "x", true));
  u.ctx.save();
  u.ctx.strokeStyle = colour;
  u.ctx.lineWidth = 2 * devicePixelRatio;
  u.ctx.beginPath();
  u.ctx.moveTo(x, u.bbox.top);
  u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
  u.ctx.stroke();
  u.ctx.restore();
}

function placeMarkers(u: uPlot, markers: readonly Marker[]): PlacedMarkers[] {
  const { min, max } = u.scales.x ?? {};
  if (min == null || max == null) return [];
  const left = u.bbox.left / devicePixelRatio;
  const inSight = markers.filter(({ step }) => step >= min && step <= max);
  return cluster(
    inSight.map((marker) => ({ x: left + u.valToPos(marker.step, "x"), marker })),
    MARKER_WIDTH,
  );
}

/** The old list where nothing moved, so that a drawn frame does not draw the buttons again. */
function same(before: readonly PlacedMarkers[], after: readonly PlacedMarkers[]): readonly PlacedMarkers[] {
  const equal =
    before.length === after.length &&
    before.every((one, index) => {
      const other = after[index];
      return (
        other !== undefined &&
        one.x === other.x &&
        one.markers.length === other.markers.length &&
        one.markers.every((marker, at) => marker === other.markers[at])
      );
    });
  return equal ? before : after;
}

function wide(low: number | null, high: number | null): View {
  if (low === null || high === null) return [0, 1];
  return low === high ? [low - 1, high + 1] : [low, high];
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(80, element.clientWidth), height: Math.max(60, element.clientHeight) };
}

/** Changes when the theme does: a canvas does not follow CSS variables by itself. */
function useTheme(): string {
  const [theme, setTheme] = useState(() => document.documentElement.dataset.theme ?? "");
  useEffect(() => {
    const observer = new MutationObserver(() => setTheme(document.documentElement.dataset.theme ?? ""));
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => observer.disconnect();
  }, []);
  return theme;
}
