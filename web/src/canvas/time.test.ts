import { expect, test } from "vitest";
import { duration } from "./time";

test.each([
  [0.0001, "1 ms"],
  [0.04, "40 ms"],
  [0.0999, "0.1 s"],
  [3.26, "3.3 s"],
  [42.4, "42 s"],
  [125, "2:05"],
  [59.6, "1:00"],
  [9.96, "10 s"],
  [3725, "1:02:05"],
])("%d seconds are read as %s", (seconds, text) => expect(duration(seconds)).toBe(text));
