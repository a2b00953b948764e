/**
 * Text to and from the clipboard, also where the page is not served over https and the modern interface is missing.
 * A paste by keyboard uses the event that the browser sends: it needs no permission.
 */
let own = "";
let arrived: ((text: string) => void) | null = null;

/** Milliseconds in which a paste that the keyboard asked for brings its event. */
const PASTE_EVENT = 80;

/** Listen for pastes; `installShortcuts` calls it once. Returns the way to stop. */
export function installClipboard(): () => void {
  const paste = (event: ClipboardEvent) => {
    if (!arrived) return;
    event.preventDefault();
    arrived(event.clipboardData?.getData("text/plain") ?? "");
  };
  window.addEventListener("paste", paste);
  return () => window.removeEventListener("paste", paste);
}

/** Copy text; false if the browser refused, the text can then still be pasted inside this page. */
export async function writeText(text: string): Promise<boolean> {
  own = text;
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // refused: the older way may still be allowed
  }
  return copyBySelection(text);
}

/** What a paste means now: the event of the keyboard, else the clipboard, else what this page copied last. */
export async function readText(): Promise<string> {
  const byEvent = await new Promise<string | null>((resolve) => {
    const timer = window.setTimeout(() => resolve(null), PASTE_EVENT);
    arrived = (text) => {
      window.clearTimeout(timer);
      resolve(text);
    };
  });
  arrived = null;
  if (byEvent !== null) return byEvent || own;
  try {
    return (await navigator.clipboard?.readText()) || own;
  } catch {
    return own;
  }
}

function copyBySelection(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("aria-hidden", "true");
  Object.assign(area.style, { position: "fixed", top: "0", opacity: "0" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
