/** How keys are written ("Ctrl+Shift+Z"; Ctrl is ⌘ on a Mac) and matched against events. ui/Kbd draws them. */

export interface KeyEvent {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  getModifierState?(name: string): boolean;
}

function isMac(platform: string = navigator.platform): boolean {
  return /Mac|iPhone|iPad/.test(platform);
}

interface Parsed {
  ctrl: boolean;
  alt: boolean;
  shift: boolean;
  key: string;
}

function parse(keys: string): Parsed {
  const parts = keys.split("+");
  const key = keys.endsWith("++") ? "+" : (parts.at(-1) ?? "");
  return {
    ctrl: parts.includes("Ctrl"),
    alt: parts.includes("Alt"),
    shift: parts.includes("Shift"),
    key: key === "Space" ? " " : key.toLowerCase(),
  };
}

const LETTER_CODE = /^Key([A-Z])$/;

/** The letter meant, also on a keyboard that writes another alphabet and where Alt makes a special sign. */
function keyOf(event: KeyEvent): string {
  const letter = LETTER_CODE.exec(event.code)?.[1];
  const ascii = event.key.length > 1 || event.key.charCodeAt(0) < 128;
  return (ascii || !letter ? event.key : letter).toLowerCase();
}

export function matches(keys: string, event: KeyEvent, mac: boolean = isMac()): boolean {
  const wanted = parse(keys);
  // AltGr is reported as Ctrl+Alt on Windows; it only writes a sign such as "[".
  const written = event.getModifierState?.("AltGraph") ?? false;
  const ctrl = !written && (mac ? event.metaKey : event.ctrlKey);
  const alt = !written && event.altKey;
  if (!mac && event.metaKey) return false;
  if (wanted.key !== keyOf(event) || wanted.ctrl !== ctrl || wanted.alt !== alt) return false;
  // "?" already says that Shift was needed; which signs need it depends on the keyboard.
  const sign = wanted.key.length === 1 && !/[a-z0-9 ]/.test(wanted.key);
  return (sign && !wanted.shift) || wanted.shift === event.shiftKey;
}
