interface Remembered {
  active: string | null;
  shown: Record<string, string>;
}

/** Of this window: which run its panels show. */
const ACTIVE = "hcpgraph.run";
/** Of all windows, for a document outlives its window: the run of each. Newest last. */
const SHOWN = "hcpgraph.runs";
const MOST = 200;

/** Which run each document showed: a reloaded page goes on with it. */
export function remembered(): Remembered {
  try {
    return { active: sessionStorage.getItem(ACTIVE), shown: read() };
  } catch {
    return { active: null, shown: {} };
  }
}

let last: Readonly<Record<string, string>> | null = null;

export function remember(active: string | null, shown: Readonly<Record<string, string>>): void {
  try {
    if (active === null) sessionStorage.removeItem(ACTIVE);
    else sessionStorage.setItem(ACTIVE, active);
    if (shown === last) return;
    const before = last ?? {};
    last = shown;
    // Other windows have written theirs since: only what changed here is put in.
    const all = new Map(Object.entries(read()));
    for (const tab of Object.keys(before)) if (!(tab in shown)) all.delete(tab);
    for (const [tab, job] of Object.entries(shown)) {
      if (all.get(tab) === job) continue;
      all.delete(tab);
      all.set(tab, job);
    }
    localStorage.setItem(SHOWN, JSON.stringify(Object.fromEntries([...all].slice(-MOST))));
  } catch {
    // A browser that keeps nothing: only a reload forgets.
  }
}

function read(): Record<string, string> {
  const found: unknown = JSON.parse(localStorage.getItem(SHOWN) ?? "null");
  if (typeof found !== "object" || found === null) return {};
  return Object.fromEntries(
    Object.entries(found).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
