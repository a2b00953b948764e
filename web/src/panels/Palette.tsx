import { Plus, Search, Star } from "lucide-react";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { NodeSpec } from "../api/schema";
import { searchSpecs } from "../graph/search";
import { categoryOf, type SpecIndex } from "../graph/specs";
import { addFromList } from "../shell/addNode";
import { usePreferences } from "../state/preferences";
import { useSpecs } from "../state/specs";
import { useDoc } from "../state/tabs";
import { categoryColour, cx, EmptyState, Section, Spinner, TextField, Tooltip } from "../ui";
import { NODE_DRAG } from "./drag";
import styles from "./Palette.module.css";

/** Every node type, to be dragged onto the canvas or added by key. */
export function Palette() {
  const { t } = useTranslation();
  const specs = useSpecs((state) => state.index);
  const [query, setQuery] = useState("");
  const list = useRef<HTMLDivElement>(null);

  const rows = () => [...(list.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
  const walk = (event: KeyboardEvent) => {
    const all = rows();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    all[Math.min(Math.max(to, 0), all.length - 1)]?.focus();
  };

  return (
    <div className={styles.panel}>
      <div className={styles.head}>
        <TextField
          data-region-start
          type="search"
          size="s"
          lead={<Search size={13} aria-hidden />}
          aria-label={t("shell.palette.search")}
          placeholder={t("shell.palette.search")}
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown") {
              event.preventDefault();
              rows()[0]?.focus();
            } else if (event.key === "Escape" && query) {
              event.stopPropagation();
              setQuery("");
            }
          }}
        />
      </div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: arrow keys move between the buttons inside */}
      <div className={styles.list} ref={list} onKeyDown={walk}>
        {specs ? <Contents specs={specs} query={query} /> : <Spinner />}
      </div>
    </div>
  );
}

function Contents({ specs, query }: { specs: SpecIndex; query: string }) {
  const { t } = useTranslation();
  const language = useSpecs((state) => state.language);
  const problems = useSpecs((state) => state.problems);
  const { favourites, recent, folded, toggleIn } = usePreferences();
  const found = useMemo(
    () => (query.trim() ? searchSpecs(query, specs, language ?? "en").map((hit) => hit.spec) : null),
    [query, specs, language],
  );
  const byCategory = useMemo(() => {
    const all = [...specs.byId.values()].sort((a, b) => a.title.localeCompare(b.title, language ?? "en"));
    return specs.categories.map((name) => ({ name, specs: all.filter((spec) => categoryOf(spec.id) === name) }));
  }, [specs, language]);

  if (found?.length === 0) return <EmptyState title={t("shell.palette.none", { query })} />;
  if (found) return <Rows specs={found} />;
  const named = (ids: string[]) => ids.flatMap((id) => specs.byId.get(id) ?? []);
  const mine = [
    { name: "*favourites", title: t("shell.palette.favourites"), specs: named(favourites) },
    { name: "*recent", title: t("shell.palette.recent"), specs: named(recent).slice(0, 6) },
  ].filter((one) => one.specs.length > 0);
  const categories = byCategory.map((one) => ({ ...one, title: t(`shell.category.${one.name}`, one.name) }));
  return (
    <>
      {problems.length > 0 && (
        <p className={styles.problem} role="status">
          {t("shell.palette.packs", { count: problems.length })} {problems[0]?.message}
        </p>
      )}
      {[...mine, ...categories].map((one) => (
        <Section
          key={one.name}
          flush
          title={
            <span className={styles.category}>
              {!one.name.startsWith("*") && (
                <span className={styles.swatch} style={{ background: categoryColour(one.name) }} />
              )}
              {one.title}
            </span>
          }
          note={<span className={styles.count}>{one.specs.length}</span>}
          open={!folded.includes(one.name)}
          onOpenChange={() => toggleIn("folded", one.name)}
        >
          <Rows specs={one.specs} />
        </Section>
      ))}
    </>
  );
}

function Rows({ specs }: { specs: NodeSpec[] }) {
  return (
    <ul>
      {specs.map((spec) => (
        <Row key={spec.id} spec={spec} />
      ))}
    </ul>
  );
}

function Row({ spec }: { spec: NodeSpec }) {
  const { t } = useTranslation();
  const favourite = usePreferences((state) => state.favourites.includes(spec.id));
  const toggleIn = usePreferences((state) => state.toggleIn);
  const readOnly = useDoc((doc) => doc.readOnly);
  return (
    <li className={styles.row}>
      <Tooltip side="right" content={<Hint spec={spec} />}>
        <button
          type="button"
          data-row
          className={styles.add}
          draggable={!readOnly}
          disabled={readOnly}
          onDragStart={(event) => {
            event.dataTransfer.setData(NODE_DRAG, spec.id);
            event.dataTransfer.effectAllowed = "copy";
          }}
          onClick={() => addFromList(spec.id)}
        >
          <span className={styles.swatch} style={{ background: categoryColour(categoryOf(spec.id)) }} />
          <span className={styles.title}>{spec.title}</span>
          <Plus size={13} className={styles.plus} aria-hidden />
        </button>
      </Tooltip>
      <button
        type="button"
        className={cx(styles.star, favourite && styles.starred)}
        aria-pressed={favourite}
        aria-label={t("shell.palette.favourite", { name: spec.title })}
        onClick={() => toggleIn("favourites", spec.id)}
      >
        <Star size={13} fill={favourite ? "currentColor" : "none"} />
      </button>
    </li>
  );
}

function Hint({ spec }: { spec: NodeSpec }) {
  return (
    <span className={styles.hint}>
      <strong>{spec.title}</strong>
      <code>{spec.id}</code>
      <span>{spec.help}</span>
    </span>
  );
}
