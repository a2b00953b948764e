import { create } from "zustand";

/** The place below the canvas that its controls stand in, so that they cover no node; null where there is none. */
export const useStrip = create<{ element: HTMLElement | null }>()(() => ({ element: null }));

export const setStrip = (element: HTMLElement | null): void => useStrip.setState({ element });
