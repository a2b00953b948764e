import { expect, it } from "vitest";
import { formatBytes, formatDuration, formatNumber, formatTime } from "./format";

it("writes numbers as people read them", () => {
  expect([0, 0.02133, 1e-4, 4.4399999e-5, 12345.6, 3e8, -2e-9].map((value) => formatNumber(value, "en"))).toEqual([
    "0",
    "0.02133",
    "1e-4",
    "4.44e-5",
    "12,350",
    "3e8",
    "-2e-9",
  ]);
});

it("writes durations and sizes", () => {
  expect([0.123, 3.14, 59.9, 125, 3729].map(formatDuration)).toEqual(["0.12 s", "3.1 s", "59.9 s", "2:05", "1:02:09"]);
  expect([640, 2048, 3.5 * 2 ** 30, 250 * 2 ** 20].map((value) => formatBytes(value, "en"))).toEqual([
    "640 B",
    "2 KiB",
    "3.5 GiB",
    "250 MiB",
  ]);
});

it("names the day unless it is today", () => {
  const moment = new Date(2026, 10, 22, 9, 5);
  const seconds = moment.getTime() / 1000;
  expect(formatTime(seconds, "en-GB", moment)).toBe("09:05");
  expect(formatTime(seconds, "en-GB", new Date(2026, 10, 23))).toContain("22 Nov");
});
