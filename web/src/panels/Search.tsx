import { Command } from "cmdk";
import { Workflow } from "lucide-react";
import { Popover } from "radix-ui";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { GraphFile, NodeSpec } from "../api/schema";
import { bodyNameAt } from "../graph/body";
import { faceOf } from "../graph/face";
import { fittingSpecs } from "../graph/fitting";
import { searchSpecs } from "../graph/search";
import { categoryOf, plainType, type SpecIndex, takenBy, typeFits, typeInfo } from "../graph/specs";
import { insertNode } from "../shell/addNode";
import { usePreferences } from "../state/preferences";
import { type SearchRequest, useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { useGraph, usePath } from "../state/tabs";
import { categoryColour, PortShape } from "../ui";
import styles from "./Search.module.css";

/** Search-to-add at a point of the canvas: `/`, a double click, or a wire dropped on nothing. */
export function Search() {
  const request = useSession((state) => state.search);
  const closeSearch = useSession((state) => state.closeSearch);
  const specs = useSpecs((state) => state.index);
  const { t } = useTranslation();
  if (!request || !specs) return null;
  const [x, y] = request.at;
  return (
    <Popover.Root open onOpenChange={(open) => !open && closeSearch()}>
      <Popover.Anchor asChild>
        <span className={styles.anchor} style={{ left: x, top: y }} />
      </Popover.Anchor>
      <Popover.Portal>
        <Popover.Content
          className={styles.content}
          aria-label={t("shell.search")}
          align="start"
          side="bottom"
          sideOffset={4}
          collisionPadding={12}
          onCloseAutoFocus={(event) => event.preventDefault()}
        >
          <SearchList key={`${x},${y}`} request={request} specs={specs} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Something that can be added: a node type, or a further instance of a subgraph of this file. */
interface Offer {
  type: string;
  title: string;
  spec: NodeSpec | null;
  /** Which of its ports takes the held wire. */
  port?: string;
}

function SearchList({ request, specs }: { request: SearchRequest; specs: SpecIndex }) {
  const { t } = useTranslation();
  const language = useSpecs((state) => state.language);
  const recent = usePreferences((state) => state.recent);
  const graph = useGraph();
  const path = usePath();
  const [query, setQuery] = useState("");
  const [value, setValue] = useState("");
  const { filter } = request;

  const offers = useMemo(() => {
    const ports = filter
      ? new Map(fittingSpecs(filter.type, filter.side, specs).map((fit) => [fit.spec.id, fit.port]))
      : null;
    const subgraphs = subgraphOffers(graph, bodyNameAt(graph, path), specs, filter);
    const words = query.trim().toLowerCase();
    if (words) {
      const found = searchSpecs(query, specs, language ?? "en").map((hit) => hit.spec);
      const named = subgraphs.filter((offer) => offer.title.toLowerCase().includes(words));
      return [...named, ...found.filter((spec) => !ports || ports.has(spec.id)).map((spec) => offerOf(spec, ports))];
    }
    const all = ports ? [...ports.keys()] : [...new Set([...recent, ...specs.byId.keys()])];
    return [...all.flatMap((id) => specs.byId.get(id) ?? []).map((spec) => offerOf(spec, ports)), ...subgraphs];
  }, [query, specs, language, filter, recent, graph, path]);

  const shown = offers.find((offer) => offer.type === value) ?? offers[0];
  const choose = (offer: Offer) => {
    useSession.getState().closeSearch();
    insertNode(offer.type, request, offer.port);
  };
  const info = filter ? typeInfo(specs, filter.type) : undefined;

  return (
    <Command
      className={styles.command}
      label={t("shell.search")}
      shouldFilter={false}
      loop
      value={value}
      onValueChange={setValue}
    >
      <div className={styles.input}>
        {filter && (
          <span className={styles.filter}>
            <PortShape shape={info?.shape} color={info?.color} />
            {t(filter.side === "source" ? "shell.search.takes" : "shell.search.gives", {
              type: plainType(filter.type),
            })}
          </span>
        )}
        <Command.Input
          autoFocus
          value={query}
          onValueChange={setQuery}
          placeholder={t("shell.search.placeholder")}
          onKeyDown={(event) => {
            // The Enter that ends the writing of an input method chooses nothing.
            if (event.key === "Enter" && event.nativeEvent.isComposing) event.stopPropagation();
          }}
        />
      </div>
      <div className={styles.columns}>
        <Command.List className={styles.list} label={t("shell.search")}>
          <Command.Empty className={styles.empty}>{t("shell.palette.none", { query })}</Command.Empty>
          {offers.map((offer) => (
            <Command.Item key={offer.type} value={offer.type} className={styles.item} onSelect={() => choose(offer)}>
              {offer.spec ? (
                <span className={styles.swatch} style={{ background: categoryColour(categoryOf(offer.type)) }} />
              ) : (
                <Workflow size={12} aria-hidden />
              )}
              <span className={styles.title}>{offer.title}</span>
              <span className={styles.id}>{offer.port ? `.${offer.port}` : offer.type}</span>
            </Command.Item>
          ))}
        </Command.List>
        <aside className={styles.help} aria-live="polite">
          {shown && <Help offer={shown} />}
        </aside>
      </div>
    </Command>
  );
}

function offerOf(spec: NodeSpec, ports: Map<string, string> | null): Offer {
  return { type: spec.id, title: spec.title, spec, port: ports?.get(spec.id) };
}

/** Bodies of this file that may get another instance here: none that would contain itself. */
function subgraphOffers(
  graph: GraphFile,
  here: string | null,
  specs: SpecIndex,
  filter: SearchRequest["filter"],
): Offer[] {
  return Object.keys(graph.graphs).flatMap((name): Offer[] => {
    if (here !== null && contains(graph, name, here)) return [];
    const offer: Offer = { type: `graph:${name}`, title: name, spec: null };
    if (!filter) return [offer];
    const face = faceOf(graph, name, specs);
    const ports = filter.side === "source" ? face?.inputs : face?.outputs;
    for (const [port, info] of ports ?? []) {
      const { type } = info;
      const taken = takenBy(type, "many" in info && info.many);
      const fits = filter.side === "source" ? typeFits(specs, taken, filter.type) : typeFits(specs, filter.type, type);
      if (fits) return [{ ...offer, port }];
    }
    return [];
  });
}

/** Whether a body is another one, or has an instance of it however deep. */
export function contains(graph: GraphFile, outer: string, inner: string, seen = new Set<string>()): boolean {
  if (outer === inner) return true;
  if (seen.has(outer)) return false;
  seen.add(outer);
  return Object.values(graph.graphs[outer]?.nodes ?? {}).some(
    ({ type }) => type.startsWith("graph:") && contains(graph, type.slice("graph:".length), inner, seen),
  );
}

function Help({ offer }: { offer: Offer }) {
  const { t } = useTranslation();
  const { spec } = offer;
  if (!spec) return <p>{t("shell.search.subgraph")}</p>;
  const settings = Object.entries(spec.schema.properties ?? {});
  return (
    <>
      <h3>{spec.title}</h3>
      <code>{spec.id}</code>
      <p>{spec.help}</p>
      <Ports title={t("shell.search.inputs")} names={spec.inputs.map((port) => `${port.name}: ${port.type}`)} />
      <Ports title={t("shell.search.outputs")} names={spec.outputs.map((port) => `${port.name}: ${port.type}`)} />
      <Ports
        title={t("shell.search.settings")}
        names={settings.map(([name, { title }]) => (title ? `${name}: ${title}` : name))}
      />
    </>
  );
}

function Ports({ title, names }: { title: string; names: string[] }) {
  if (names.length === 0) return null;
  return (
    <>
      <h4>{title}</h4>
      <ul>
        {names.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ul>
    </>
  );
}
