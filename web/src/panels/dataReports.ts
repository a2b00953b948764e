import { create } from "zustand";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { DataReport, DataReportLine, GraphFile, Problem } from "../api/schema";
import { sameMeaning } from "../graph/normal";

/** The report of one open document. */
export interface Report {
  /** What it is about. */
  graph: GraphFile;
  language: string;
  report: DataReport | null;
  /** Why there is none. */
  problems: Problem[];
  /** How far it is; null once it is done. */
  progress: DataReportLine | null;
}

interface Reports {
  /** By tab. */
  known: Readonly<Record<string, Report>>;
}

export const useDataReports = create<Reports>()(() => ({ known: {} }));

const running = new Map<string, AbortController>();

function put(tab: string, report: Report | null): void {
  useDataReports.setState(({ known }) => {
    const { [tab]: _, ...rest } = known;
    return { known: report ? { ...rest, [tab]: report } : rest };
  });
}

/** Ask for the report of a document; one that is being made for it ends. */
export async function askReport(tab: string, graph: GraphFile, language: string): Promise<void> {
  running.get(tab)?.abort();
  const stop = new AbortController();
  running.set(tab, stop);
  const before = useDataReports.getState().known[tab]?.report ?? null;
  const asked: Report = { graph, language, report: before, problems: [], progress: { kind: "progress" } };
  put(tab, asked);
  try {
    const tell = (progress: DataReportLine) => running.get(tab) === stop && put(tab, { ...asked, progress });
    const report = await api.dataReport({ graph, lang: language, of: tab }, tell, { signal: stop.signal });
    if (running.get(tab) === stop) put(tab, { ...asked, report, progress: null });
  } catch (error) {
    if (running.get(tab) === stop) put(tab, { ...asked, report: null, problems: problemsOf(error), progress: null });
  } finally {
    if (running.get(tab) === stop) running.delete(tab);
  }
}

/** End the report that is being made; nothing is shown then, as if it had not been asked for. */
export function cancelReport(tab: string): void {
  running.get(tab)?.abort();
  running.delete(tab);
  put(tab, null);
}

/** Whether a report is about this graph, whatever only moves boxes. */
export function isCurrent(report: Report, graph: GraphFile): boolean {
  return report.graph === graph || sameMeaning(report.graph, graph);
}
