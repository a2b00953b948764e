/**
 * The clipboard, also where the page is not served over https and the modern interface is missing. What is pasted is
 * what it holds now: nothing that was copied here before stands in for it. A paste by keyboard uses the event that the
 * browser sends, which needs no permission.
 */
export interface Clipboard {
  text: string;
  files: readonly File[];
}

type Paste = (held: Clipboard) => unknown;

let wish: Paste | null = null;
let usual: Paste = () => {};

/** Who takes in a paste that no command has asked for in another way. Returns the way to stop. */
export function onPaste(take: Paste): () => void {
  usual = take;
  return () => {
    usual = () => {};
  };
}

/** Keys that mean a paste were pressed: the browser's event follows, and is for `take`. */
export function expectPaste(take: Paste): void {
  wish = take;
  setTimeout(() => {
    if (wish === take) wish = null;
  }, 1000);
}

/** Listen for pastes outside of fields (`isField`); `installShortcuts` calls it once. Returns the way to stop. */
export function installClipboard(isField: (target: EventTarget | null) => boolean): () => void {
  const paste = (event: ClipboardEvent) => {
    if (event.defaultPrevented || isField(event.target) || !event.clipboardData) return;
    event.preventDefault();
    const { clipboardData: data } = event;
    const take = wish ?? usual;
    wish = null;
    void take({ text: data.getData("text/plain"), files: [...data.files] });
  };
  window.addEventListener("paste", paste);
  return () => window.removeEventListener("paste", paste);
}

/** Copy text; false if the browser refused. */
export async function writeText(text: string): Promise<boolean> {
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

/** What the clipboard holds, without keys; null where the browser does not let the page look. */
export async function readClipboard(): Promise<Clipboard | null> {
  try {
    const items = await navigator.clipboard.read();
    let text = "";
    const files: File[] = [];
    for (const item of items) {
      const picture = item.types.find((type) => type.startsWith("image/"));
      if (item.types.includes("text/plain")) text ||= await (await item.getType("text/plain")).text();
      else if (picture !== undefined) {
        const content = await item.getType(picture);
        files.push(new File([content], `pasted.${picture.slice("image/".length)}`, { type: picture }));
      }
    }
    return { text, files };
  } catch {
    return null;
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
