import type { Job, ServerMessage } from "../../api/schema";
import { LiveSocket } from "../../api/socket";
import i18n from "../../i18n";
import { announce } from "../../ui";
import { useCheck } from "../check";
import { takeMeter, useMeter } from "../meter";
import { putJob, takeQueue, useQueue } from "../queue";
import { useSpecs } from "../specs";
import { followStamps } from "../stamps";
import { useTabs } from "../tabs";
import { adoptRuns } from "./adopt";
import { isOver } from "./model";
import { tellServed } from "./start";
import { retryLoads, runEnded, setLink, takeEvents, takePicture, useRuns } from "./store";

/** Connect the page to the server's events, once at its start. Returns the way to let go. */
export function goLive(): () => void {
  const socket = new LiveSocket({
    message: takeMessage,
    events: takeEvents,
    picture: takePicture,
    connection: (connection) => {
      const before = useMeter.getState().connection;
      useMeter.setState({ connection });
      if (connection === "open" && before === "lost") retryLoads();
    },
  });
  setLink(socket);
  const { enterTab } = useRuns.getState();
  const tab = () => enterTab(useTabs.getState().active || null);
  const stops = [useTabs.subscribe(tab), followStamps()];
  tab();
  stops.push(adoptRuns(), tellServed());
  retryLoads();
  socket.start();
  return () => {
    for (const stop of stops) stop();
    setLink(null);
    socket.stop();
  };
}

type Message = Exclude<ServerMessage, { type: "events" }>;

function takeMessage(message: Message): void {
  switch (message.type) {
    case "hello":
      useMeter.setState({ version: message.version, worker: message.worker });
      return;
    case "worker":
      useMeter.setState({ worker: message.worker });
      return;
    case "meter":
      takeMeter(message.meter);
      return;
    case "queue":
      void takeQueue(message.jobs).then(() => adopt());
      for (const job of message.jobs) if (isOver(job)) runEnded(job.id);
      return;
    case "job":
      takeJob(message.job);
      return;
    case "specs": {
      const { hash, language, load } = useSpecs.getState();
      // A failure shows the next time that something is asked for; the old specs stay.
      if (language !== null && hash !== message.hash) void load(language).catch(() => undefined);
      return;
    }
  }
}

function takeJob(job: Job): void {
  const before = useQueue.getState().jobs.find((one) => one.id === job.id);
  putJob(job);
  if (isOver(job)) runEnded(job.id);
  if (before === undefined || before.status === job.status) return;
  const key = `dock.said.status.${job.status}`;
  announce(i18n.t(key, { title: job.title }), job.status === "failed" ? "assertive" : "polite");
}

/**
 * A page that shows no run yet takes the one that goes on: in its panels, so that a phone can watch, and on the canvas
 * if the graph there is the one that runs.
 */
function adopt(): void {
  const { active, follow } = useRuns.getState();
  const { jobs } = useQueue.getState();
  const running = jobs.find((job) => job.status === "running");
  if (active !== null || !running) return;
  follow(running.id, useCheck.getState().check?.hash === running.graph_hash);
}
