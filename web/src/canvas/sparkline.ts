/**
 * SVG path of a curve in a small box. Losses fall by orders of magnitude: positive values are drawn on a log scale.
 * Each column of pixels is the mean of its values, so that noise does not fill the box.
 */
export function sparkline(values: readonly number[], width: number, height: number): string | null {
  const finite = values.filter(Number.isFinite);
  if (finite.length < 2) return null;
  const columns = Math.min(Math.floor(width / 2), finite.length);
  const log = finite.every((value) => value > 0);
  const points: number[] = [];
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor((column * finite.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * finite.length) / columns));
    let sum = 0;
    for (let at = from; at < to; at += 1) sum += finite[at] ?? 0;
    const mean = sum / (to - from);
    points.push(log ? Math.log(mean) : mean);
  }
  const low = Math.min(...points);
  const span = Math.max(...points) - low || 1;
  const x = (column: number) => (column * (width - 2)) / Math.max(1, columns - 1) + 1;
  const y = (value: number) => height - 2 - ((value - low) / span) * (height - 4);
  return points.map((value, at) => `${at === 0 ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}
