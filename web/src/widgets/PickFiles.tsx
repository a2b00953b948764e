import { type ReactNode, useRef } from "react";
import { Button } from "../ui";
import { type Dropped, fromInput } from "./dropped";

interface PickFilesProps {
  /** A whole folder instead of files. */
  folder?: boolean;
  accept?: string;
  icon: ReactNode;
  children: string;
  onPick: (dropped: Dropped) => void;
}

/** A button that lets files or a folder of this machine be chosen. */
export function PickFiles({ folder = false, accept, icon, children, onPick }: PickFilesProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button size="s" icon={icon} onClick={() => input.current?.click()}>
        {children}
      </Button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={children}
        accept={folder ? undefined : accept}
        {...(folder ? { webkitdirectory: "" } : {})}
        onChange={(event) => {
          const dropped = fromInput(event.currentTarget);
          // the same choice again must count as a change
          event.currentTarget.value = "";
          if (dropped.files.length > 0) onPick(dropped);
        }}
      />
    </>
  );
}
