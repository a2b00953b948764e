import { Tooltip as Radix } from "radix-ui";
import { createContext, type ReactNode, useContext } from "react";
import { Kbd } from "./Kbd";
import styles from "./Tooltip.module.css";

export type TooltipSide = "top" | "right" | "bottom" | "left";
const Provided = createContext(false);

/** Once around the page, so that a second tooltip opens without delay. */
export function TooltipProvider({ children }: { children: ReactNode }) {
  return (
    <Provided value={true}>
      <Radix.Provider delayDuration={450} skipDelayDuration={250}>
        {children}
      </Radix.Provider>
    </Provided>
  );
}

export interface TooltipProps {
  content: ReactNode;
  /** One element that takes a ref and pointer handlers. */
  children: ReactNode;
  side?: TooltipSide;
  shortcut?: string;
}

/** A hint on hover and on keyboard focus. Never the only place where something is said. */
export function Tooltip({ content, children, side = "bottom", shortcut }: TooltipProps) {
  const provided = useContext(Provided);
  if (!content) return children;
  const root = (
    <Radix.Root>
      <Radix.Trigger asChild>{children}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={styles.content} side={side} sideOffset={5} collisionPadding={8}>
          <span>{content}</span>
          {shortcut && <Kbd keys={shortcut} />}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
  return provided ? root : <Radix.Provider delayDuration={450}>{root}</Radix.Provider>;
}
