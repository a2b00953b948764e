import { describe, expect, it } from "vitest";
import { backoff, type Follows, follow, NO_FOLLOWS, receive, resume, unfollow } from "./follow";
import type { RunEvent } from "./schema";

const event = (seq: number): RunEvent => ({ run: "r", seq, t: seq, kind: "log" });
const events = (...seqs: number[]) => seqs.map(event);
const numbers = (list: RunEvent[]) => list.map((one) => one.seq);

describe("follow", () => {
  it("asks for what comes after the known events", () => {
    const [state, messages] = follow(NO_FOLLOWS, "a", 12);
    expect(messages).toEqual([{ type: "follow", job: "a", since: 12 }]);
    expect([...state]).toEqual([["a", 12]]);
  });

  it("gives every event once and in order, however often a server repeats them", () => {
    let state: Follows = follow(NO_FOLLOWS, "a", 0)[0];
    const seen: number[] = [];
    for (const batch of [events(1, 2), events(2, 3), events(1, 2, 3), events(5, 4, 5, 6)]) {
      const [next, fresh] = receive(state, "a", batch);
      state = next;
      seen.push(...numbers(fresh));
    }
    expect(seen).toEqual([1, 2, 3, 5, 6]);
  });

  it("resumes each job where it was on a new connection", () => {
    let state: Follows = follow(NO_FOLLOWS, "a", 3)[0];
    state = follow(state, "b", 0)[0];
    state = receive(state, "b", events(1, 2, 9))[0];
    expect(resume(state)).toEqual([
      { type: "follow", job: "a", since: 3 },
      { type: "follow", job: "b", since: 9 },
    ]);
  });

  it("leaves out batches of a job that is not followed any more", () => {
    const [state, messages] = unfollow(follow(NO_FOLLOWS, "a", 0)[0], "a");
    expect(messages).toEqual([{ type: "unfollow", job: "a" }]);
    expect(receive(state, "a", events(1))).toEqual([state, []]);
    expect(unfollow(state, "a")[1]).toEqual([]);
    expect(resume(state)).toEqual([]);
  });

  it("keeps the same state when nothing is new", () => {
    const state = follow(NO_FOLLOWS, "a", 4)[0];
    expect(receive(state, "a", events(3, 4))[0]).toBe(state);
  });
});

describe("backoff", () => {
  it("doubles up to eight seconds and spreads by a quarter", () => {
    expect([0, 1, 2, 3].map((tries) => backoff(tries, 0.5))).toEqual([250, 500, 1000, 2000]);
    expect(backoff(1000, 0.5)).toBe(8000);
    expect(backoff(0, 0)).toBe(188);
    expect(backoff(1000, 1)).toBe(10_000);
  });
});
