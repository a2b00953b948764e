import type { ClientMessage, RunEvent } from "./schema";

/**
 * What a page follows over its socket: job -> number of the last event that it has. It outlives connections, so that a
 * new one can ask for what came in between. Pure: the socket itself is in socket.ts.
 */
export type Follows = ReadonlyMap<string, number>;

export const NO_FOLLOWS: Follows = new Map();

/** Follow a job from an event on. Following it again from elsewhere starts there. */
export function follow(state: Follows, job: string, since: number): [Follows, ClientMessage[]] {
  return [new Map(state).set(job, since), [{ type: "follow", job, since }]];
}

export function unfollow(state: Follows, job: string): [Follows, ClientMessage[]] {
  if (!state.has(job)) return [state, []];
  const next = new Map(state);
  next.delete(job);
  return [next, [{ type: "unfollow", job }]];
}

/** What to say first on a new connection: it knows nothing of the old one. */
export function resume(state: Follows): ClientMessage[] {
  return [...state].map(([job, since]) => ({ type: "follow", job, since }));
}

/**
 * The events of a message that are new here, in order. A server that replays after a reconnection may repeat some, and
 * a batch of a job that is no longer followed may still be under way.
 */
export function receive(state: Follows, job: string, events: readonly RunEvent[]): [Follows, RunEvent[]] {
  let last = state.get(job);
  if (last === undefined) return [state, []];
  const fresh: RunEvent[] = [];
  for (const event of events) {
    if (event.seq <= last) continue;
    last = event.seq;
    fresh.push(event);
  }
  return fresh.length === 0 ? [state, fresh] : [new Map(state).set(job, last), fresh];
}

const FIRST_DELAY = 250;
const LONGEST_DELAY = 8000;

/** Milliseconds before the n-th new try (from 0): doubled each time, spread so that many pages do not come at once. */
export function backoff(tries: number, random: number): number {
  const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(tries, 16));
  return Math.round(delay * (0.75 + random * 0.5));
}
