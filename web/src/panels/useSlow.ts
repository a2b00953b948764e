import { useEffect, useRef, useState } from "react";

/** A value that changes at most once in so many milliseconds; the last one always arrives. */
export function useSlow<T>(value: T, milliseconds: number): T {
  const [slow, setSlow] = useState(value);
  const changed = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const since = performance.now() - changed.current;
    const take = () => {
      changed.current = performance.now();
      setSlow(() => value);
    };
    if (since >= milliseconds) {
      take();
      return;
    }
    const timer = setTimeout(take, milliseconds - since);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return slow;
}
