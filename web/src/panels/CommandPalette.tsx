import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { matchOf } from "../graph/search";
import i18n, { LANGUAGES, loadLanguages } from "../i18n";
import { type CommandGroup, canRun, useCommands } from "../state/commands";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { useBody, usePath } from "../state/tabs";
import { categoryColour, categoryOf, Kbd, VisuallyHidden } from "../ui";
import styles from "./CommandPalette.module.css";

const ORDER: CommandGroup[] = ["run", "edit", "graph", "file", "view", "go", "help"];

/** Everything by name (Ctrl+K): commands, and the nodes of the graph that is shown. */
export function CommandPalette() {
  const { t } = useTranslation();
  const open = useSession((state) => state.palette);
  const setPalette = useSession((state) => state.setPalette);
  const chosen = useRef<(() => void) | null>(null);
  return (
    <Dialog.Root open={open} onOpenChange={setPalette}>
      <Dialog.Portal>
        <Dialog.Overlay className={styles.scrim} />
        <Dialog.Content
          className={styles.content}
          aria-describedby={undefined}
          onCloseAutoFocus={() => {
            // once the focus is back where it was: a command may ask what is selected, open a dialog or go elsewhere
            if (chosen.current) queueMicrotask(chosen.current);
            chosen.current = null;
          }}
        >
          <VisuallyHidden>
            <Dialog.Title>{t("shell.commands")}</Dialog.Title>
          </VisuallyHidden>
          <Contents
            choose={(action) => {
              chosen.current = action;
              setPalette(false);
            }}
          />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** What a command is called in every language that the page has read. */
function titles(key: string): string[] {
  return LANGUAGES.map((lng) => i18n.t(key, { lng }));
}

function Contents({ choose }: { choose: (action: () => void) => void }) {
  const { t } = useTranslation();
  const all = useCommands((state) => state.all);
  const specs = useSpecs((state) => state.index);
  const body = useBody();
  const path = usePath();
  const focusNode = useSession((state) => state.focusNode);
  const [, setRead] = useState(false);
  // whoever thinks of a command in the other language finds it too
  useEffect(() => void loadLanguages().then(() => setRead(true)), []);
  const groups = useMemo(
    () =>
      ORDER.map((name) => ({ name, commands: all.filter((one) => one.group === name && !one.hidden && canRun(one)) })),
    [all],
  );
  // not `keywords` of the items: those of the other language come later
  const names = new Map<string, string[]>(all.map((one) => [one.id, [one.id, ...titles(one.titleKey)]]));
  for (const [id, node] of Object.entries(body.nodes)) {
    const spec = specs?.byId.get(node.type);
    const titles = [node.title, spec?.title, spec?.title_en, ...(spec?.also ?? [])].filter((one) => one !== undefined);
    names.set(`node:${id}`, [`node:${id}`, id, node.type, ...titles]);
  }
  return (
    // What stands first is what fits best, of all groups: the groups go by the best that they have.
    <Command label={t("shell.commands")} loop filter={(value, query) => matchOf(names.get(value) ?? [], query) / 100}>
      <Command.Input
        autoFocus
        className={styles.input}
        placeholder={t("shell.commands.placeholder")}
        onKeyDown={(event) => {
          if (event.key === "Enter" && event.nativeEvent.isComposing) event.stopPropagation();
        }}
      />
      <Command.List className={styles.list} label={t("shell.commands")}>
        <Command.Empty className={styles.empty}>{t("shell.commands.none")}</Command.Empty>
        {groups
          .filter((group) => group.commands.length > 0)
          .map((group) => (
            <Command.Group key={group.name} heading={t(`shell.group.${group.name}`)} className={styles.group}>
              {group.commands.map((command) => (
                <Command.Item
                  key={command.id}
                  value={command.id}
                  className={styles.item}
                  onSelect={() => choose(() => void command.run())}
                >
                  <span className={styles.name}>{t(command.titleKey)}</span>
                  {command.keys?.[0] && <Kbd keys={command.keys[0]} />}
                </Command.Item>
              ))}
            </Command.Group>
          ))}
        <Command.Group heading={t("shell.commands.nodes")} className={styles.group}>
          {Object.entries(body.nodes).map(([id, node]) => {
            const title = node.title ?? specs?.byId.get(node.type)?.title ?? node.type;
            return (
              <Command.Item
                key={id}
                value={`node:${id}`}
                className={styles.item}
                onSelect={() => choose(() => focusNode([...path, id].join("/")))}
              >
                <span className={styles.swatch} style={{ background: categoryColour(categoryOf(node.type)) }} />
                <span className={styles.name}>{title}</span>
                <span className={styles.id}>{id}</span>
              </Command.Item>
            );
          })}
        </Command.Group>
      </Command.List>
    </Command>
  );
}
