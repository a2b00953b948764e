import { expect, it } from "vitest";
import type { LogLine } from "../api/schema";
import { filterLog } from "./Log";

const line = (seq: number, level: string, node?: string): LogLine => ({
  seq,
  t: 0,
  level,
  message: "",
  ...(node && { node }),
});

it("keeps lines of a level and above, and of one node", () => {
  const log = [line(1, "info", "a"), line(2, "warning", "b"), line(3, "error", "a"), line(4, "debug")];
  const seqs = (lines: readonly LogLine[]) => lines.map((one) => one.seq);
  expect(filterLog(log, "*", "*")).toBe(log);
  expect(seqs(filterLog(log, "warning", "*"))).toEqual([2, 3]);
  expect(seqs(filterLog(log, "error", "*"))).toEqual([3]);
  expect(seqs(filterLog(log, "*", "a"))).toEqual([1, 3]);
});
