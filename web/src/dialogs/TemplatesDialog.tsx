import { CircleCheck, Search } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { TemplateEntry } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/templates.json";
import { Broken } from "../panels/GraphFiles";
import { useListing } from "../panels/useListing";
import { openTemplate } from "../shell/documents";
import { attempt } from "../shell/report";
import { resolvedTheme, usePreferences } from "../state/preferences";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { cx, Spinner, TextField } from "../ui";
import { Dialog } from "../ui/Dialog";
import { Prose } from "../widgets/Prose";
import type { DialogProps } from "./kinds";
import { fitting, type Tag, tagsOf } from "./templateList";
import styles from "./templates.module.css";

addTexts(english);

/** Ready graphs, with what comes out of them; a click opens a copy. */
export function TemplatesDialog({ onClose }: DialogProps<"templates">) {
  const { t } = useTranslation();
  const load = useCallback((signal: AbortSignal) => api.templates({ signal }), []);
  const { items, problem, reload } = useListing<TemplateEntry>(load);
  const specs = useSpecs((state) => state.index);
  const [query, setQuery] = useState("");
  const [tag, setTag] = useState<Tag | null>(null);
  const tags = useMemo(() => tagsOf(items ?? []), [items]);
  const found = useMemo(() => fitting(items ?? [], tag, query, specs), [items, tag, query, specs]);
  const nameOf = (one: Tag) => {
    if (one.kind === "group") return t(`templates.group.${one.name}`, one.name);
    return one.kind === "ready" ? t("templates.ready") : (specs?.byId.get(one.type)?.title ?? one.type);
  };
  const open = async (entry: TemplateEntry) => {
    const opened = await attempt(async () => {
      await openTemplate(entry.name);
      return true;
    });
    if (!opened) return;
    useSession.getState().setView("graph");
    onClose(true);
  };
  return (
    <Dialog open size="xl" title={t("shell.templates")} onOpenChange={(is) => !is && onClose(null)}>
      <div className={styles.top}>
        <TextField
          value={query}
          lead={<Search size={14} />}
          aria-label={t("templates.search")}
          placeholder={t("templates.search")}
          onChange={(event) => setQuery(event.currentTarget.value)}
          onKeyDown={(event) => {
            const [first] = found;
            if (event.key === "Enter" && !event.nativeEvent.isComposing && first) void open(first);
          }}
        />
        <fieldset className={styles.tags} aria-label={t("templates.tags")}>
          <Chip name={t("templates.all")} chosen={tag === null} onClick={() => setTag(null)} />
          {tags.map((one) => (
            <Chip
              key={JSON.stringify(one)}
              name={nameOf(one)}
              chosen={JSON.stringify(one) === JSON.stringify(tag)}
              onClick={() => setTag(JSON.stringify(one) === JSON.stringify(tag) ? null : one)}
            />
          ))}
        </fieldset>
      </div>
      {problem && <Broken text={problem.message} reload={reload} />}
      {!items && !problem && <Spinner />}
      {items && found.length === 0 && <p className={styles.none}>{t("templates.none")}</p>}
      <ul className={styles.list} aria-label={t("shell.templates")}>
        {found.map((entry) => (
          <Card key={entry.name} entry={entry} open={open} />
        ))}
      </ul>
    </Dialog>
  );
}

function Chip({ name, chosen, onClick }: { name: string; chosen: boolean; onClick: () => void }) {
  return (
    <button type="button" className={cx(styles.chip, chosen && styles.chosen)} aria-pressed={chosen} onClick={onClick}>
      {name}
    </button>
  );
}

function Card({ entry, open }: { entry: TemplateEntry; open: (entry: TemplateEntry) => Promise<void> }) {
  const { t } = useTranslation();
  const theme = usePreferences((state) => resolvedTheme(state.theme));
  const [busy, setBusy] = useState(false);
  const choose = async () => {
    setBusy(true);
    await open(entry);
    setBusy(false);
  };
  return (
    <li>
      <button type="button" className={styles.card} onClick={() => void choose()} aria-busy={busy}>
        {entry.picture && (
          <img className={styles.picture} src={`${entry.picture}?theme=${theme}`} alt="" loading="lazy" />
        )}
        <span className={styles.text}>
          <span className={styles.title}>{entry.title}</span>
          <span className={styles.description}>
            <Prose text={entry.description} />
          </span>
          <span className={styles.needs}>
            {entry.needs.length === 0 && <CircleCheck size={12} aria-hidden />}
            {entry.needs.length === 0
              ? t("templates.ready")
              : t("templates.needs", {
                  what: entry.needs.map((need) => t(`templates.need.${need}`)).join(t("templates.and")),
                })}
          </span>
        </span>
      </button>
    </li>
  );
}
