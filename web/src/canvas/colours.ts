/** Colours of frames and notes, as names in the file: each theme draws them in its own way. */
export const COLOURS = ["grey", "blue", "green", "amber", "red", "violet"] as const;
export type Colour = (typeof COLOURS)[number];

const TOKENS: Record<Colour, string> = {
  grey: "var(--text-faint)",
  blue: "var(--running)",
  green: "var(--ok)",
  amber: "var(--warn)",
  red: "var(--error)",
  violet: "var(--cached)",
};

/** The CSS colour of a name; `#rrggbb` in a file of another hand is taken as it is. */
export function colourOf(color: string | undefined): string {
  if (color !== undefined && /^#[0-9a-f]{6}$/i.test(color)) return color;
  return TOKENS[COLOURS.find((name) => name === color) ?? "grey"];
}
