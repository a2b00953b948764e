type Politeness = "polite" | "assertive";
const regions = new Map<Politeness, HTMLElement>();

function region(politeness: Politeness): HTMLElement {
  const known = regions.get(politeness);
  if (known?.isConnected) return known;
  const element = document.createElement("div");
  element.setAttribute("aria-live", politeness);
  element.setAttribute("role", politeness === "polite" ? "status" : "alert");
  Object.assign(element.style, {
    position: "fixed",
    width: "1px",
    height: "1px",
    overflow: "hidden",
    clipPath: "inset(50%)",
  });
  document.body.append(element);
  regions.set(politeness, element);
  return element;
}

/** Says a sentence to a screen reader. The same sentence twice in a row is said twice. */
export function announce(message: string, politeness: Politeness = "polite"): void {
  const element = region(politeness);
  element.textContent = element.textContent === message ? `${message}\u00a0` : message;
}
