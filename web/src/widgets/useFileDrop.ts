import { type RefObject, useEffect, useRef, useState } from "react";
import { type Dropped, fromDrop } from "./dropped";

/** Takes files that are dropped on an element; says whether some are held over it. The page's own drop does not see them. */
export function useFileDrop(
  ref: RefObject<HTMLElement | null>,
  take: (dropped: Dropped) => void,
  enabled = true,
): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(take);
  useEffect(() => {
    latest.current = take;
  });
  useEffect(() => {
    const element = ref.current;
    if (!element || !enabled) return;
    const hold = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      setOver(true);
    };
    const leave = () => setOver(false);
    const drop = (event: DragEvent) => {
      setOver(false);
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      void fromDrop(event.dataTransfer).then((dropped) => {
        if (dropped.files.length > 0) latest.current(dropped);
      });
    };
    element.addEventListener("dragover", hold);
    element.addEventListener("dragleave", leave);
    element.addEventListener("drop", drop);
    return () => {
      element.removeEventListener("dragover", hold);
      element.removeEventListener("dragleave", leave);
      element.removeEventListener("drop", drop);
    };
  }, [ref, enabled]);
  return over;
}
