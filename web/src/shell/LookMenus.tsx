import { Command, Info, Keyboard, Languages, LifeBuoy, Monitor, Moon, Sun } from "lucide-react";
import { useTranslation } from "react-i18next";
import { LANGUAGE_NAMES, LANGUAGES } from "../i18n";
import { resolvedTheme, usePreferences } from "../state/preferences";
import { IconButton, Menu, MenuCheckItem, MenuLabel, MenuRadio, MenuSeparator } from "../ui";
import { CommandItem } from "./FileMenu";
import { useLanguage } from "./language";

export function LanguageMenu() {
  const { t } = useTranslation();
  const language = useLanguage();
  const set = usePreferences((state) => state.set);
  return (
    <Menu align="end" trigger={<IconButton label={t("shell.language")} icon={<Languages size={16} />} />}>
      <MenuRadio
        value={language}
        onChange={(value) => set("language", value)}
        options={LANGUAGES.map((value) => ({ value, label: <span lang={value}>{LANGUAGE_NAMES[value]}</span> }))}
      />
    </Menu>
  );
}

/** Theme, and how the canvas is drawn. */
export function LookMenu() {
  const { t } = useTranslation();
  const { theme, edgeStyle, snap, minimap, set, toggle } = usePreferences();
  const Icon = theme === "system" ? Monitor : resolvedTheme(theme) === "dark" ? Moon : Sun;
  return (
    <Menu align="end" trigger={<IconButton label={t("shell.look")} icon={<Icon size={16} />} />}>
      <MenuLabel>{t("shell.theme")}</MenuLabel>
      <MenuRadio
        value={theme}
        onChange={(value) => set("theme", value)}
        options={[
          { value: "system", label: t("shell.theme.system") },
          { value: "light", label: t("shell.theme.light") },
          { value: "dark", label: t("shell.theme.dark") },
        ]}
      />
      <MenuSeparator />
      <MenuLabel>{t("shell.wires")}</MenuLabel>
      <MenuRadio
        value={edgeStyle}
        onChange={(value) => set("edgeStyle", value)}
        options={[
          { value: "bezier", label: t("shell.wires.bezier") },
          { value: "smoothstep", label: t("shell.wires.smoothstep") },
          { value: "straight", label: t("shell.wires.straight") },
        ]}
      />
      <MenuSeparator />
      <MenuCheckItem checked={snap} onChange={() => toggle("snap")}>
        {t("shell.snap")}
      </MenuCheckItem>
      <MenuCheckItem checked={minimap} onChange={() => toggle("minimap")}>
        {t("shell.minimap")}
      </MenuCheckItem>
    </Menu>
  );
}

export function HelpMenu() {
  const { t } = useTranslation();
  return (
    <Menu align="end" trigger={<IconButton label={t("shell.help")} icon={<LifeBuoy size={16} />} />}>
      <CommandItem id="help.commands" icon={<Command size={14} />} />
      <CommandItem id="help.shortcuts" icon={<Keyboard size={14} />} />
      <MenuSeparator />
      <CommandItem id="help.about" icon={<Info size={14} />} />
    </Menu>
  );
}
