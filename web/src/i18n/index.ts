import i18n from "i18next";
import { initReactI18next } from "react-i18next";
import { merged } from "./merged";

export const LANGUAGES = ["en", "zh-CN"] as const;
export type Language = (typeof LANGUAGES)[number];
/** Each language in its own words: whoever needs the switch may not read the present one. */
export const LANGUAGE_NAMES: Record<Language, string> = { en: "English", "zh-CN": "中文" };

/** Without those of panels that bring their own, so that the first page goes without them. */
const english = merged(
  import.meta.glob<{ default: Record<string, string> }>(
    [
      "./en/*.json",
      "!./en/{chooser,compare,curves,dataReport,dialogs,files,formula,formView,gallery,history,imported,inspector,layers,log,menus,outline,picker,templates,trainOn}.json",
    ],
    {
      eager: true,
    },
  ),
);

/** The language to start with: the stored choice, else the first of the browser's that we have. */
export function detectLanguage(stored: Language | null, wanted: readonly string[] = navigator.languages): Language {
  if (stored) return stored;
  for (const one of wanted) {
    if (/^zh\b/i.test(one)) return "zh-CN";
    if (/^en\b/i.test(one)) return "en";
  }
  return "en";
}

/** The English texts of a part that is loaded later: it brings them itself. */
export function addTexts(texts: Record<string, string>): void {
  i18n.addResourceBundle("en", "translation", texts, true, true);
}

/** Read the Chinese texts, once; they are fetched when they are first wanted. */
export async function loadLanguages(): Promise<void> {
  if (i18n.hasResourceBundle("zh-CN", "translation")) return;
  const { default: texts } = await import("./zh");
  i18n.addResourceBundle("zh-CN", "translation", texts);
}

/** Show the page in a language. */
export async function changeLanguage(language: Language): Promise<void> {
  if (language !== "en") await loadLanguages();
  await i18n.changeLanguage(language);
  document.documentElement.lang = language;
}

void i18n.use(initReactI18next).init({
  lng: "en",
  fallbackLng: "en",
  resources: { en: { translation: english } },
  keySeparator: false,
  nsSeparator: false,
  initAsync: false,
  interpolation: { escapeValue: false },
  react: { useSuspense: false },
});

export default i18n;
