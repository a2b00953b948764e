import { Command } from "cmdk";
import { Popover } from "radix-ui";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyAt, ownerOf } from "../graph/body";
import { isTarget, type PortView, portsOf, shapeOf } from "../graph/ports";
import { typeInfo } from "../graph/specs";
import { addTexts } from "../i18n";
import english from "../i18n/en/chooser.json";
import { useSpecs } from "../state/specs";
import { currentDoc, currentPath } from "../state/tabs";
import { announce, PortShape } from "../ui";
import styles from "./Chooser.module.css";
import { connectContext, held, makeWire } from "./connecting";
import { focusElement } from "./stage";
import { type Chooser as Choice, useCanvas } from "./store";

addTexts(english);

/** A list of ports to finish a wire with: everything that is legal, nothing else. Works by keyboard alone. */
export function Chooser() {
  const { t } = useTranslation();
  const choice = useCanvas((state) => state.chooser);
  if (!choice) return null;
  const close = () => {
    const back = choice.from ?? (choice.node === null ? null : `${choice.node}.`);
    useCanvas.setState({ chooser: null });
    if (back !== null) focusElement(ownerOf(back), choice.from ?? undefined);
  };
  return (
    <Popover.Root open onOpenChange={(open) => !open && close()}>
      <Popover.Anchor asChild>
        <span className={styles.anchor} style={{ left: choice.at.x, top: choice.at.y }} />
      </Popover.Anchor>
      <Popover.Portal>
        <Popover.Content
          className={styles.content}
          aria-label={t("chooser.title")}
          align="start"
          sideOffset={4}
          collisionPadding={12}
          onCloseAutoFocus={(event) => event.preventDefault()}
          onEscapeKeyDown={() => announce(t("chooser.cancelled"))}
        >
          <PortList key={choice.from ?? choice.node} choice={choice} close={close} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

interface Offer {
  port: PortView;
  node: string;
  title: string;
  /** Type of the node, in words and as its id. */
  type: string;
}

function PortList({ choice, close }: { choice: Choice; close: () => void }) {
  const { t } = useTranslation();
  const specs = useSpecs((state) => state.index);
  const [query, setQuery] = useState("");
  const offers = useMemo(() => offersFor(choice), [choice]);
  if (!specs) return null;

  const choose = ({ port, node }: Offer) => {
    if (choice.from === null) {
      const side = isTarget(port.side) ? "target" : "source";
      useCanvas.setState({ chooser: { ...choice, from: port.address, side, node: null } });
      return;
    }
    const fixed = choice.edge ?? choice.from;
    const made =
      choice.side === "source"
        ? makeWire(choice.from, port.address, choice.edge)
        : makeWire(port.address, fixed, choice.edge);
    useCanvas.setState({ chooser: null });
    if (made) focusElement(node, port.address);
    else close();
  };
  const words = query.trim().toLowerCase().split(/\s+/);
  const found = offers.filter(({ port, node, title, type }) => {
    const text = `${title} ${type} ${node}.${port.name} ${port.type}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const label =
    choice.from === null
      ? t("chooser.fromNode", { node: choice.node })
      : t(choice.side === "source" ? "chooser.to" : "chooser.from", { port: choice.from });
  return (
    <Command className={styles.command} label={label} shouldFilter={false} loop>
      <div className={styles.input}>
        <p className={styles.label}>{label}</p>
        <Command.Input
          autoFocus
          value={query}
          onValueChange={setQuery}
          placeholder={t("chooser.filter")}
          onKeyDown={(event) => {
            if (event.key === "Enter" && event.nativeEvent.isComposing) event.stopPropagation();
          }}
        />
      </div>
      <Command.List className={styles.list} label={label}>
        <Command.Empty className={styles.empty}>{t("chooser.none")}</Command.Empty>
        {found.map((offer) => {
          const info = typeInfo(specs, offer.port.type);
          return (
            <Command.Item
              key={`${offer.port.side}${offer.port.address}`}
              value={`${offer.port.side}${offer.port.address}`}
              className={styles.item}
              onSelect={() => choose(offer)}
            >
              <PortShape shape={info?.shape} color={info?.color} filled={offer.port.wires.length > 0} />
              <span className={styles.name}>
                {choice.node === null && <NodeName title={offer.title} id={offer.node} />}
                {offer.port.name}
              </span>
              <span className={styles.type}>
                {offer.port.wires.length > 0 && isTarget(offer.port.side) && !offer.port.many
                  ? t("chooser.replaces")
                  : offer.port.type}
              </span>
            </Command.Item>
          );
        })}
      </Command.List>
    </Command>
  );
}

/** Two nodes may have one title: the id tells them apart. */
function NodeName({ title, id }: { title: string; id: string }) {
  return (
    <span className={styles.node}>
      {title}
      {title.toLowerCase() !== id && <span className={styles.id}>{id}</span>}
      {" ▸ "}
    </span>
  );
}

/** The ports to choose from: legal ends of the held wire, or, first, the ports of a node. */
function offersFor(choice: Choice): Offer[] {
  const context = connectContext();
  if (!context) return [];
  const { graph } = currentDoc().getState();
  const path = currentPath();
  const legal = choice.from === null ? null : held(choice.from, choice.side, choice.edge)?.legal;
  const ids = choice.node === null ? Object.keys(bodyAt(graph, path).nodes) : [choice.node];
  const wanted = choice.side === "source";
  return ids.flatMap((node) => {
    const shape = shapeOf(graph, path, node, context.specs, context.check);
    return portsOf(shape, node)
      .filter((port) => (legal ? legal.has(port.address) && isTarget(port.side) === wanted : port.side !== "setting"))
      .map((port) => ({ port, node, title: shape.title, type: `${shape.spec?.title ?? ""} ${shape.spec?.id ?? ""}` }));
  });
}
