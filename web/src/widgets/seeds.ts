import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";
import type { BodyPath } from "../graph/body";

/** What happens to a seed before each run that is started here. */
export type SeedPolicy = "keep" | "new" | "increment";

export const SEED_COUNT = 2 ** 32;

/** A seed nobody chose: 0 … 2^32 - 1. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

export function nextSeed(seed: number, policy: SeedPolicy): number {
  if (policy === "keep") return seed;
  return policy === "new" ? randomSeed() : (seed + 1) % SEED_COUNT;
}

interface SeedStore {
  /** Tab -> "path/node.setting" -> what to do; "keep" is not written down. */
  policies: Record<string, Record<string, SeedPolicy>>;
  setPolicy: (tab: string, address: string, policy: SeedPolicy) => void;
  /** Tabs that are gone need nothing. */
  keepOnly: (tabs: readonly string[]) => void;
}

/** How a person works with seeds: of this browser, never part of the graph, whose seed is always the one that ran. */
export const useSeeds = create<SeedStore>()(
  persist(
    (set) => ({
      policies: {},
      setPolicy: (tab, address, policy) =>
        set(({ policies }) => {
          const { [address]: _, ...others } = policies[tab] ?? {};
          const next = policy === "keep" ? others : { ...others, [address]: policy };
          return { policies: { ...policies, [tab]: next } };
        }),
      keepOnly: (tabs) =>
        set(({ policies }) => ({
          policies: Object.fromEntries(Object.entries(policies).filter(([tab]) => tabs.includes(tab))),
        })),
    }),
    {
      name: "hcpgraph.seeds",
      version: 1,
      storage: createJSONStorage(() => localStorage),
      partialize: ({ policies }) => ({ policies }),
    },
  ),
);

export function seedAddress(path: BodyPath, node: string, setting: string): string {
  return `${[...path, node].join("/")}.${setting}`;
}

/** Every seed of a tab that is not kept, with its next value; called before a run is queued. */
export function seedsFor(
  tab: string,
  read: (path: BodyPath, node: string, setting: string) => unknown,
): { path: BodyPath; node: string; setting: string; value: number }[] {
  const policies = useSeeds.getState().policies[tab] ?? {};
  return Object.entries(policies).flatMap(([address, policy]) => {
    const dot = address.lastIndexOf(".");
    const path = address.slice(0, dot).split("/");
    const node = path.pop() ?? "";
    const setting = address.slice(dot + 1);
    const value = read(path, node, setting);
    return typeof value === "number" ? [{ path, node, setting, value: nextSeed(value, policy) }] : [];
  });
}
