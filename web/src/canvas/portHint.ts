import type { PointerEvent } from "react";
import { canConnect } from "../graph/connect";
import type { PortView } from "../graph/ports";
import { typeInfo } from "../graph/specs";
import i18n from "../i18n";
import { useCheck } from "../state/check";
import { useSpecs } from "../state/specs";
import { currentDoc, currentPath } from "../state/tabs";
import { useCanvas } from "./store";

const DELAY = 350;
let timer = 0;

/** The pointer is over a port: what it is, or at once why it does not take the wire that is being drawn. */
export function enterPort(event: PointerEvent, port: PortView): void {
  window.clearTimeout(timer);
  const box = event.currentTarget.getBoundingClientRect();
  const source = port.side === "output" || port.side === "entry";
  const at = { x: source ? box.right + 4 : box.left - 4, y: box.top + box.height / 2 };
  const { connecting } = useCanvas.getState();
  if (connecting) {
    const why = whyNot(port.address);
    if (why) useCanvas.setState({ hint: { text: why, ...at } });
    return;
  }
  timer = window.setTimeout(() => {
    const { index } = useSpecs.getState();
    const parts = Object.keys((index && typeInfo(index, port.type)?.parts) ?? {}).join(", ");
    const of = parts && i18n.t("canvas.port.parts", { parts });
    const text = [`${port.name}: ${port.type}`, port.help, of].filter(Boolean).join("\n");
    useCanvas.setState({ hint: { text, ...at } });
  }, DELAY);
}

export function leavePort(): void {
  window.clearTimeout(timer);
  if (useCanvas.getState().hint) useCanvas.setState({ hint: null });
}

/** Why the free end of the wire may not end here, as a sentence; null if it may. */
function whyNot(address: string): string | null {
  const { connecting } = useCanvas.getState();
  const specs = useSpecs.getState().index;
  if (!connecting || !specs || connecting.address === address || connecting.legal.has(address)) return null;
  const held = connecting.address;
  const [source, target] = connecting.side === "source" ? [held, address] : [address, held];
  const context = { specs, check: useCheck.getState().check };
  const verdict = canConnect(currentDoc().getState().graph, currentPath(), source, target, context);
  return verdict.ok ? null : i18n.t(verdict.why, { ...verdict.values });
}
