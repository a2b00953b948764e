import { backoff, type Follows, follow, NO_FOLLOWS, receive, resume, unfollow } from "./follow";
import type { ClientMessage, PictureFrame, RunEvent, ServerMessage } from "./schema";

export type ConnectionState = "connecting" | "open" | "lost";

export interface Listener {
  /** Every message but events. */
  message(message: Exclude<ServerMessage, { type: "events" }>): void;
  /** New events of a followed job, in order, each once. */
  events(job: string, events: RunEvent[]): void;
  picture(frame: PictureFrame): void;
  connection(state: ConnectionState): void;
}

/** No meter for so long (the server sends one each 2 s) means a dead connection that nobody closed: a laptop slept. */
const SILENCE = 15_000;

/** The page's one WebSocket: comes back by itself and asks for the events that it missed. */
export class LiveSocket {
  private readonly url: string;
  private readonly listener: Listener;
  private socket: WebSocket | null = null;
  private follows: Follows = NO_FOLLOWS;
  private tries = 0;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private watch: ReturnType<typeof setInterval> | null = null;
  private heard = 0;
  private stopped = true;

  constructor(listener: Listener, url: string = socketUrl(location)) {
    this.listener = listener;
    this.url = url;
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    window.addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.wake);
    this.watch = setInterval(this.check, SILENCE / 3);
    this.open();
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    if (this.watch !== null) clearInterval(this.watch);
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.drop();
  }

  follow(job: string, since: number): void {
    this.say(follow(this.follows, job, since));
  }

  unfollow(job: string): void {
    this.say(unfollow(this.follows, job));
  }

  private say([next, messages]: [Follows, ClientMessage[]]): void {
    this.follows = next;
    // Before the connection is open there is nobody to tell: `resume` says it all then.
    if (this.socket?.readyState === WebSocket.OPEN) for (const one of messages) this.socket.send(JSON.stringify(one));
  }

  private open(): void {
    this.listener.connection(this.tries === 0 ? "connecting" : "lost");
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heard = Date.now();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.tries = 0;
      for (const one of resume(this.follows)) socket.send(JSON.stringify(one));
      this.listener.connection("open");
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (socket !== this.socket) return;
      this.heard = Date.now();
      this.take(event.data);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.lost();
    };
  }

  private take(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      void this.picture(data);
      return;
    }
    const message = JSON.parse(data) as ServerMessage;
    if (message.type !== "events") {
      this.listener.message(message);
      return;
    }
    const [next, fresh] = receive(this.follows, message.job, message.events);
    this.follows = next;
    if (fresh.length > 0) this.listener.events(message.job, fresh);
  }

  /** What reads pictures is fetched with the first one: no page needs it to start. */
  private async picture(data: ArrayBuffer): Promise<void> {
    const { decode } = await import("@msgpack/msgpack");
    const frame = decode(data) as PictureFrame;
    if (frame.type === "picture" && !this.stopped) this.listener.picture(frame);
  }

  private lost(): void {
    this.drop();
    if (this.stopped) return;
    this.listener.connection("lost");
    this.retry = setTimeout(
      () => {
        this.retry = null;
        this.open();
      },
      backoff(this.tries, Math.random()),
    );
    this.tries += 1;
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** Back from sleep or from a tunnel: do not wait for the rest of a long delay, and doubt an old connection. */
  private readonly wake = (): void => {
    if (this.stopped || document.visibilityState === "hidden") return;
    if (this.retry !== null) {
      clearTimeout(this.retry);
      this.retry = null;
      this.open();
    } else this.check();
  };

  private readonly check = (): void => {
    if (this.socket !== null && Date.now() - this.heard > SILENCE) this.lost();
  };
}

export function socketUrl(place: Pick<Location, "protocol" | "host">): string {
  return `${place.protocol === "https:" ? "wss" : "ws"}://${place.host}/api/ws`;
}
