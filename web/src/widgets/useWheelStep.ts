import { type RefObject, useEffect, useRef } from "react";

/** Turning the wheel over a control steps it only while it has the focus; else the page scrolls or zooms as usual. */
export function useWheelStep(ref: RefObject<HTMLElement | null>, step: (direction: 1 | -1) => void): void {
  const latest = useRef(step);
  useEffect(() => {
    latest.current = step;
  });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      if (!element.contains(document.activeElement) || event.deltaY === 0 || event.ctrlKey) return;
      event.preventDefault();
      event.stopPropagation();
      latest.current(event.deltaY < 0 ? 1 : -1);
    };
    // React's wheel listeners are passive and could not keep the page still
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [ref]);
}
