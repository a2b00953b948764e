import { Search } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Command, type CommandGroup, useCommands } from "../state/commands";
import { Kbd, TextField } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./dialogs.module.css";
import type { DialogProps } from "./kinds";

const GROUPS: CommandGroup[] = ["run", "file", "edit", "graph", "view", "go", "help"];

/** Every command that has keys, by group. */
export function ShortcutsDialog({ onClose }: DialogProps<"shortcuts">) {
  const { t } = useTranslation();
  const commands = useCommands((state) => state.all);
  const [query, setQuery] = useState("");
  const wanted = query.trim().toLowerCase();
  const shown = commands.filter((command) => (command.keys?.length ?? 0) > 0 && fits(command));

  function fits(command: Command): boolean {
    const keys = command.keys?.join(" ").toLowerCase() ?? "";
    return wanted === "" || t(command.titleKey).toLowerCase().includes(wanted) || keys.includes(wanted);
  }

  return (
    <Dialog open size="l" title={t("dialogs.shortcuts.title")} onOpenChange={(open) => !open && onClose(null)}>
      <TextField
        lead={<Search size={14} />}
        value={query}
        aria-label={t("dialogs.shortcuts.search")}
        placeholder={t("dialogs.shortcuts.search")}
        onChange={(event) => setQuery(event.currentTarget.value)}
      />
      {shown.length === 0 && <p className={styles.muted}>{t("dialogs.shortcuts.none")}</p>}
      <div className={styles.columns}>
        {GROUPS.map((group) => {
          const own = shown.filter((command) => command.group === group);
          if (own.length === 0) return null;
          return (
            <section key={group} className={styles.column} aria-label={t(`dialogs.shortcuts.${group}`)}>
              <h3 className={styles.heading}>{t(`dialogs.shortcuts.${group}`)}</h3>
              <dl className={styles.keys}>
                {own.map((command) => (
                  <div key={command.id} className={styles.key}>
                    <dt>{t(command.titleKey)}</dt>
                    <dd>
                      {command.keys?.map((keys) => (
                        <Kbd key={keys} keys={keys} />
                      ))}
                    </dd>
                  </div>
                ))}
              </dl>
            </section>
          );
        })}
      </div>
    </Dialog>
  );
}
