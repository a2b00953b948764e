import { create } from "zustand";
import type { Hello } from "../api/schema";

/** Who the server is, as it said at the start of the page. */
export const useServer = create<{ hello: Hello | null }>()(() => ({ hello: null }));
