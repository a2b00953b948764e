/** Numbers as people read them, in the language of the page. */

/** 0.0213, 1e-4, 12,300. */
export function formatNumber(value: number, language: string): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2).replace(/\.?0+e\+?/, "e");
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 4 }).format(value);
}

/** 0.12 s, 3.1 s, 2:05, 1:02:09. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 640 B, 3.2 GiB. */
export function formatBytes(bytes: number, language: string): string {
  let [size, unit] = [bytes, 0];
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(size)} ${UNITS[unit]}`;
}

/** A moment (Unix seconds): the time, and the day unless it is today. */
export function formatTime(moment: number, language: string, now: Date = new Date()): string {
  const date = new Date(moment * 1000);
  const today = date.toDateString() === now.toDateString();
  const day: Intl.DateTimeFormatOptions = today ? {} : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(language, { ...day, hour: "2-digit", minute: "2-digit" }).format(date);
}

export function formatClock(moment: number, language: string): string {
  const style = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false } as const;
  return new Intl.DateTimeFormat(language, style).format(new Date(moment * 1000));
}
