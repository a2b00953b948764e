const KNOWN = new Set([
  "data",
  "text",
  "model",
  "plugin",
  "noise",
  "diffusion",
  "loss",
  "optim",
  "train",
  "sample",
  "image",
  "flow",
  "value",
  "python",
]);

/** "noise.offset" -> "noise"; "graph:draw" -> "graph". */
export function categoryOf(type: string): string {
  return type.startsWith("graph:") ? "graph" : (type.split(".")[0] ?? "");
}

/** The CSS colour of a category. One that only a third-party pack has gets a hue of its own, the same every time. */
export function categoryColour(category: string): string {
  if (category === "graph") return "var(--accent-text)";
  if (KNOWN.has(category)) return `var(--category-${category})`;
  let hash = 7;
  for (const letter of category) hash = (hash * 31 + letter.charCodeAt(0)) % 360;
  return `oklch(0.66 0.1 ${hash})`;
}
