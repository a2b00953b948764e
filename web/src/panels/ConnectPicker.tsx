import { Command } from "cmdk";
import { Popover } from "radix-ui";
import { type RefObject, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { legalSources, legalTargets } from "../graph/connect";
import { connect } from "../graph/edit";
import type { OutlinePort } from "../graph/outline";
import { isTarget, portsOf, shapeOf } from "../graph/ports";
import { type SpecIndex, typeInfo } from "../graph/specs";
import { addTexts } from "../i18n";
import english from "../i18n/en/outline.json";
import { useCheck } from "../state/check";
import { currentDoc, useBody, useGraph, usePath } from "../state/tabs";
import { announce, PortShape } from "../ui";
import styles from "./Search.module.css";

addTexts(english);

interface PickerProps {
  port: OutlinePort;
  specs: SpecIndex;
  /** Id of the line that it opens at. */
  anchor: string;
  onClose: () => void;
}

/** The ports that a port may be wired to, to choose one by name. */
export function ConnectPicker({ port, specs, anchor, onClose }: PickerProps) {
  const { t } = useTranslation();
  const graph = useGraph();
  const path = usePath();
  const body = useBody();
  const check = useCheck((state) => state.check);
  const at = useRef<HTMLElement | null>(document.getElementById(anchor));
  const takes = isTarget(port.side);

  const ends = useMemo(() => {
    const legal = (takes ? legalSources : legalTargets)(graph, path, port.address, { specs, check });
    return Object.keys(body.nodes).flatMap((id) => {
      const shape = shapeOf(graph, path, id, specs, check);
      return portsOf(shape, id)
        .filter((one) => isTarget(one.side) !== takes && legal.has(one.address))
        .map((one) => ({ ...one, title: shape.title, node: id }));
    });
  }, [graph, path, body, specs, check, port.address, takes]);

  const choose = (address: string, title: string) => {
    const [source, target] = takes ? [address, port.address] : [port.address, address];
    const done = currentDoc().edit("shell.edit.connect", (now) => connect(now, path, source, target, { specs }));
    if (done) announce(t("outline.connected", { from: source, to: target, title }));
    onClose();
  };

  return (
    <Popover.Root open onOpenChange={(open) => !open && onClose()}>
      <Popover.Anchor virtualRef={at as RefObject<HTMLElement>} />
      <Popover.Portal>
        <Popover.Content
          className={styles.content}
          data-narrow
          aria-label={t("outline.connect")}
          side="right"
          align="start"
          collisionPadding={12}
          onCloseAutoFocus={(event) => event.preventDefault()}
        >
          <Command className={styles.command} label={t("outline.connect")} loop>
            <div className={styles.input}>
              <Command.Input
                autoFocus
                placeholder={t(takes ? "outline.pickSource" : "outline.pickTarget", { port: port.address })}
                onKeyDown={(event) => {
                  if (event.key === "Enter" && event.nativeEvent.isComposing) event.stopPropagation();
                }}
              />
            </div>
            <Command.List className={styles.list} label={t("outline.connect")}>
              <Command.Empty className={styles.empty}>{t("outline.noEnd")}</Command.Empty>
              {ends.map((end) => {
                const info = typeInfo(specs, end.type);
                return (
                  <Command.Item
                    key={`${end.address} ${end.side}`}
                    value={end.address}
                    keywords={[end.title, end.type]}
                    className={styles.item}
                    onSelect={() => choose(end.address, end.title)}
                  >
                    <PortShape shape={info?.shape} color={info?.color} filled={end.wires.length > 0} many={end.many} />
                    <span className={styles.title}>
                      {end.title} · {end.name}
                    </span>
                    <span className={styles.id}>{end.type}</span>
                  </Command.Item>
                );
              })}
            </Command.List>
          </Command>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
