import {
  ClipboardCopy,
  ClipboardPaste,
  Download,
  FilePlus2,
  FolderOpen,
  Images,
  Import,
  LayoutTemplate,
  Save,
  SaveAll,
} from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { canRun, commandById, keysOf, runCommand } from "../state/commands";
import { Button, Menu, MenuItem, MenuSeparator } from "../ui";

/** A menu item that runs a command by its id; its name and its keys come from the registry. */
export function CommandItem({ id, icon }: { id: string; icon?: ReactNode }) {
  const { t } = useTranslation();
  const command = commandById(id);
  if (!command) return null;
  return (
    <MenuItem icon={icon} shortcut={keysOf(id)} disabled={!canRun(command)} onSelect={() => runCommand(id)}>
      {t(command.titleKey)}
    </MenuItem>
  );
}

export function FileMenu() {
  const { t } = useTranslation();
  return (
    <Menu trigger={<Button variant="ghost">{t("shell.file")}</Button>}>
      <CommandItem id="file.new" icon={<FilePlus2 size={14} />} />
      <CommandItem id="file.templates" icon={<LayoutTemplate size={14} />} />
      <CommandItem id="file.open" icon={<FolderOpen size={14} />} />
      <MenuSeparator />
      <CommandItem id="file.save" icon={<Save size={14} />} />
      <CommandItem id="file.saveAs" icon={<SaveAll size={14} />} />
      <CommandItem id="file.download" icon={<Download size={14} />} />
      <CommandItem id="file.copyText" icon={<ClipboardCopy size={14} />} />
      <MenuSeparator />
      <CommandItem id="file.import" icon={<Import size={14} />} />
      <CommandItem id="file.importText" icon={<ClipboardPaste size={14} />} />
      <CommandItem id="file.trainOnPictures" icon={<Images size={14} />} />
    </Menu>
  );
}
