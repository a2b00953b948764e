import { describe, expect, it } from "vitest";
import { boundsOf, formatNumber, fromNotch, parseNumber, plainNumber, sliderRange, stepped, toNotch } from "./number";

const LR = boundsOf({ type: "number", minimum: 0 }, { log: true });
const RANK = boundsOf({ type: "integer", minimum: 1, maximum: 1024 }, { step: 1 });
const WIDTH = boundsOf({ type: "integer", minimum: 1, maximum: 16384 }, { step: 8 });

describe("formatNumber", () => {
  it.each([
    [0.0001, "1e-4"],
    [0.00025, "2.5e-4"],
    [0.05, "0.05"],
    [0, "0"],
    [262144, "262144"],
    [1e21, "1e21"],
    [-0.00005, "-5e-5"],
  ])("%d is written %s", (value, text) => expect(formatNumber(value)).toBe(text));

  it("is read back to the same number", () => {
    for (const value of [1 / 3, 1e-8, 123456.789, -7, Number.MIN_VALUE, 2 ** 53 - 1]) {
      expect(parseNumber(formatNumber(value))).toBe(value);
    }
  });
});

describe("parseNumber", () => {
  it.each([
    ["1e-4", 1e-4],
    [" .5 ", 0.5],
    ["0,25", 0.25],
    ["1_000", 1000],
    ["−3", -3],
    ["１２", 12],
    ["5.", 5],
  ])("reads %j", (text, value) => expect(parseNumber(text)).toBe(value));

  it.each(["", "abc", "1e", "--1", "1e999", "0x10", "1,2,3", "Infinity"])("refuses %j", (text) =>
    expect(parseNumber(text)).toBeNull(),
  );

  it("refuses a fraction and an unsafe integer where an integer is asked", () => {
    expect(parseNumber("1.5", true)).toBeNull();
    expect(parseNumber("9007199254740993", true)).toBeNull();
    expect(parseNumber("2e3", true)).toBe(2000);
  });
});

describe("plainNumber", () => {
  it("has no exponent and no groups", () => {
    expect([1e-8, 123456789, -0.5, 0].map(plainNumber)).toEqual(["0.00000001", "123456789", "-0.5", "0"]);
    expect([Number.POSITIVE_INFINITY, null].map(plainNumber)).toEqual([undefined, undefined]);
  });
});

describe("stepped", () => {
  it("adds without the noise of binary fractions", () => {
    const bounds = boundsOf({ type: "number", minimum: 0, maximum: 1 }, { step: 0.1 });
    expect(stepped(stepped(0.1, 1, bounds), 1, bounds)).toBe(0.3);
    expect(stepped(1, 1, bounds)).toBe(1);
  });

  it("keeps two digits on a logarithmic setting and crosses a decade", () => {
    expect(stepped(1e-4, 1, LR)).toBe(1.1e-4);
    expect(stepped(9.9e-4, 1, LR)).toBe(1e-3);
    expect(stepped(0, -1, LR)).toBe(0);
    expect(stepped(0, 1, LR)).toBeGreaterThan(0);
  });
});

describe("slider", () => {
  it("spans the usual part of a wide range and grows to a value beyond it", () => {
    expect(sliderRange(RANK, 16, 16)).toEqual({ min: 1, max: 100 });
    expect(sliderRange(RANK, 16, 700)).toEqual({ min: 1, max: 1000 });
    expect(sliderRange(WIDTH, 512, 512)).toEqual({ min: 1, max: 2048 });
  });

  it("spans all of a narrow range", () => {
    const guidance = boundsOf({ type: "number", minimum: 1, maximum: 100 }, { step: 0.5 });
    expect(sliderRange(guidance, 7.5, 7.5)).toEqual({ min: 1, max: 100 });
  });

  it("lands on steps, and on multiples of eight although the least is one", () => {
    const range = sliderRange(WIDTH, 512, 512);
    for (let notch = 100; notch < 1000; notch += 37) expect(fromNotch(notch, range, WIDTH) % 8).toBe(0);
    expect(fromNotch(0, range, WIDTH)).toBe(1);
    expect(fromNotch(1000, range, WIDTH)).toBe(2048);
  });

  it("is logarithmic where asked: the middle of 1e-7 … 0.1 is 1e-4", () => {
    const range = sliderRange(LR, 1e-4, 1e-4);
    expect(toNotch(1e-4, range, true)).toBeCloseTo(500);
    expect(fromNotch(500, range, LR)).toBe(1e-4);
    expect(fromNotch(0, range, LR)).toBe(0);
  });

  it("goes to a notch and back without moving a value that lies on a step", () => {
    const range = sliderRange(RANK, 16, 16);
    for (const value of [1, 2, 16, 63, 100]) expect(fromNotch(toNotch(value, range, false), range, RANK)).toBe(value);
  });

  it("stays inside an exclusive limit", () => {
    const smoothing = boundsOf({ type: "number", minimum: 0, exclusiveMaximum: 1 }, { step: 0.01 });
    expect(stepped(0.99, 1, smoothing)).toBeLessThan(1);
  });
});
