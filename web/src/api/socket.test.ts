import { encode } from "@msgpack/msgpack";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { RunEvent } from "./schema";
import { LiveSocket, socketUrl } from "./socket";

/** The browser's side of a connection, driven by hand: what is tested is what the page says and when it comes back. */
class Wire {
  static all: Wire[] = [];
  static readonly OPEN = 1;
  readyState = 0;
  sent: unknown[] = [];
  binaryType = "";
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly url: string;

  constructor(url: string) {
    this.url = url;
    Wire.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }
  opens(): void {
    this.readyState = Wire.OPEN;
    this.onopen?.();
  }
  says(message: unknown): void {
    this.onmessage?.({ data: message instanceof ArrayBuffer ? message : JSON.stringify(message) });
  }
}

const heard = { events: [] as number[], states: [] as string[], types: [] as string[], pictures: [] as string[] };
let socket: LiveSocket;
const last = () => Wire.all.at(-1) as Wire;
const batch = (...seqs: number[]) => ({
  type: "events",
  job: "a",
  events: seqs.map((seq): RunEvent => ({ run: "a", seq, t: 0, kind: "log" })),
});

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Wire);
  Wire.all = [];
  Object.assign(heard, { events: [], states: [], types: [], pictures: [] });
  socket = new LiveSocket(
    {
      message: ({ type }) => heard.types.push(type),
      events: (_, events) => heard.events.push(...events.map((event) => event.seq)),
      picture: (frame) => heard.pictures.push(frame.node),
      connection: (state) => heard.states.push(state),
    },
    "ws://here/api/ws",
  );
  socket.start();
});
afterEach(() => {
  socket.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("follows what was asked for before the connection was open", () => {
  socket.follow("a", 7);
  expect(last().sent).toEqual([]);
  last().opens();
  expect(last().sent).toEqual([{ type: "follow", job: "a", since: 7 }]);
  expect(heard.states).toEqual(["connecting", "open"]);
});

it("comes back after a loss and asks for what it missed", () => {
  last().opens();
  socket.follow("a", 0);
  last().says(batch(1, 2));
  last().close();
  expect(heard.states.at(-1)).toBe("lost");
  vi.advanceTimersByTime(400);
  expect(Wire.all).toHaveLength(2);
  last().opens();
  expect(last().sent).toEqual([{ type: "follow", job: "a", since: 2 }]);
  last().says(batch(2, 3));
  expect(heard.events).toEqual([1, 2, 3]);
  expect(heard.states.at(-1)).toBe("open");
});

it("gives up a connection that has been silent, as after a laptop's sleep", () => {
  last().opens();
  last().says({ type: "meter", meter: {} });
  vi.advanceTimersByTime(14_000);
  expect(Wire.all).toHaveLength(1);
  vi.advanceTimersByTime(16_000);
  expect(heard.states).toContain("lost");
  expect(Wire.all.length).toBeGreaterThan(1);
});

it("does not listen to a connection that it gave up", () => {
  const old = last();
  old.opens();
  socket.follow("a", 0);
  old.close();
  vi.advanceTimersByTime(400);
  last().opens();
  old.says(batch(1));
  expect(heard.events).toEqual([]);
});

it("reads pictures from binary frames and passes other messages on", async () => {
  last().opens();
  const bytes = encode({ type: "picture", node: "sample", data: new Uint8Array([1]) });
  last().says(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  last().says({ type: "queue", jobs: [] });
  await vi.waitFor(() => expect(heard.pictures).toEqual(["sample"]));
  expect(heard.types).toEqual(["queue"]);
});

it("stays away once it was stopped", () => {
  last().opens();
  socket.stop();
  vi.advanceTimersByTime(60_000);
  expect(Wire.all).toHaveLength(1);
});

it("uses the page's own host and its security", () => {
  expect(socketUrl({ protocol: "https:", host: "x:1" })).toBe("wss://x:1/api/ws");
  expect(socketUrl({ protocol: "http:", host: "127.0.0.1:8188" })).toBe("ws://127.0.0.1:8188/api/ws");
});
