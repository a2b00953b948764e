import { create } from "zustand";
import type { Meter, WorkerState } from "../api/schema";
import type { ConnectionState } from "../api/socket";

interface MeterStore {
  meter: Meter | null;
  /** CPU load and memory share of the last two minutes, 0…1, oldest first. */
  trail: readonly { cpu: number; memory: number }[];
  worker: WorkerState | null;
  version: string | null;
  connection: ConnectionState;
}

const TRAIL = 60;

/** How the machine and the worker are, as the server last said. */
export const useMeter = create<MeterStore>()(() => ({
  meter: null,
  trail: [],
  worker: null,
  version: null,
  connection: "connecting",
}));

export function takeMeter(meter: Meter): void {
  const point = { cpu: meter.cpu / 100, memory: meter.memory_total > 0 ? meter.memory / meter.memory_total : 0 };
  useMeter.setState(({ trail }) => ({ meter, trail: [...trail, point].slice(-TRAIL) }));
}
