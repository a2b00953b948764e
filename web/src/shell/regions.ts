/** The parts of the page, as F6 walks through them: every element with `data-region`, in the order of the page. */

/** Of tabs the one that is shown: what one came for. */
const OTHER_TAB = '[role="tab"][aria-selected="false"]';
const FOCUSABLE = `:is(button, input):not(:disabled, ${OTHER_TAB}), [href], select, textarea, [tabindex="0"]:not([role="tablist"])`;

function regions(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-region]")].filter((one) => one.offsetParent !== null);
}

/** What had the focus in a region when it was left, to come back to. */
const last = new WeakMap<HTMLElement, HTMLElement>();

/** Move the focus to the next part of the page, or to the one before. */
export function nextRegion(step: 1 | -1): void {
  const all = regions();
  if (all.length === 0) return;
  const active = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  const at = all.findIndex((one) => one.contains(active));
  const from = all[at];
  if (from && active && active !== from) last.set(from, active);
  // From nowhere forwards to the first, backwards to the last.
  const to = at < 0 ? all.at(step === 1 ? 0 : -1) : all[(at + step + all.length) % all.length];
  if (to) enter(to);
}

/** Move the focus into a part of the page, once it shows what was just asked of it. */
export function goToRegion(name: "left" | "dock"): void {
  window.setTimeout(() => {
    const region = regions().find((one) => one.dataset.region === name);
    if (region) enter(region);
  });
}

function enter(region: HTMLElement): void {
  const before = last.get(region);
  if (before?.isConnected && region.contains(before) && !before.matches(OTHER_TAB)) before.focus();
  else
    (
      region.querySelector<HTMLElement>("[data-region-start]") ??
      region.querySelector<HTMLElement>(FOCUSABLE) ??
      region
    ).focus();
}
