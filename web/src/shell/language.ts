import { changeLanguage, detectLanguage, type Language } from "../i18n";
import { usePreferences } from "../state/preferences";
import { useSpecs } from "../state/specs";

/** The language the page is in: the stored choice or what the browser asks for. */
function currentLanguage(): Language {
  return detectLanguage(usePreferences.getState().language);
}

export function useLanguage(): Language {
  return detectLanguage(usePreferences((state) => state.language));
}

/** Texts of the page and of the nodes in one step, so that no screen is half translated. */
export async function applyLanguage(language: Language = currentLanguage()): Promise<void> {
  await Promise.all([changeLanguage(language), useSpecs.getState().load(language)]);
}

/** Switch when the choice changes; `failed` hears what went wrong. Returns the way to stop. */
export function followLanguage(failed: (error: unknown) => void): () => void {
  let last = currentLanguage();
  return usePreferences.subscribe(() => {
    const now = currentLanguage();
    if (now === last) return;
    last = now;
    applyLanguage(now).catch(failed);
  });
}
