import { create } from "zustand";
import { api } from "../api/client";
import type { Problem } from "../api/schema";
import { indexSpecs, type SpecIndex } from "../graph/specs";
import type { Language } from "./preferences";

interface SpecStore {
  index: SpecIndex | null;
  language: Language | null;
  /** Changes when a pack changed: the server says so over the socket. */
  hash: string | null;
  /** Packs that could not be read. */
  problems: Problem[];
  /** Ask for the specs in a language; the last call wins. Throws ApiFailure. */
  load(language: Language): Promise<void>;
}

let asked = 0;

export const useSpecs = create<SpecStore>()((set) => ({
  index: null,
  language: null,
  hash: null,
  problems: [],
  load: async (language) => {
    const mine = ++asked;
    const specs = await api.specs(language);
    if (mine === asked) set({ index: indexSpecs(specs), language, hash: specs.hash, problems: specs.problems });
  },
}));
