import { createContext, useContext, useEffect } from "react";

/** Where a field says why it did not take what was written; its frame shows it. */
export const Refusal = createContext<((why: string | null) => void) | null>(null);

/** Tell the frame around this field why its text was refused; null: it was not. */
export function useRefusal(why: string | null): void {
  const tell = useContext(Refusal);
  useEffect(() => {
    tell?.(why);
    return () => tell?.(null);
  }, [tell, why]);
}
