/**
 * Windows of the browser share one database. A lock holds the id of each as long as its page lives, so that others can
 * tell the drafts of an open window from those that a crash left.
 */
const LOCK = "hcpgraph-window-";
const KEY = "hcpgraph-window";
/** A page that is loaded anew may come before the one that it replaces has let go. */
const HANDOVER = 1000;

let thisWindow: Promise<string> | null = null;
let claimed: string | null = null;

/** The id of this window, kept over a reload; a duplicated browser tab finds its id taken and gets another. */
export function windowId(): Promise<string> {
  thisWindow ??= claimWindow();
  return thisWindow;
}

/** The same where nothing can be waited for; null as long as it is not claimed. */
export function windowNow(): string | null {
  return claimed;
}

/** The windows whose pages live. */
export async function livingWindows(): Promise<Set<string>> {
  const state = await navigator.locks?.query();
  return new Set((state?.held ?? []).flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])));
}

/** Do something that no other window does at the same time. */
export function alone<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks ? navigator.locks.request("hcpgraph-drafts", work) : work();
}

async function claimWindow(): Promise<string> {
  const before = sessionStorage.getItem(KEY);
  const id = before !== null && (await hold(before, wasHere())) ? before : crypto.randomUUID();
  if (id !== before) {
    await hold(id, false);
    sessionStorage.setItem(KEY, id);
  }
  claimed = id;
  return id;
}

/** Whether this window showed the page before: a copy of a window is a navigation like any other. */
function wasHere(): boolean {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return navigation?.type === "reload" || navigation?.type === "back_forward";
}

function hold(id: string, wait: boolean): Promise<boolean> {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    const options: LockOptions = wait ? { signal: AbortSignal.timeout(HANDOVER) } : { ifAvailable: true };
    navigator.locks
      .request(LOCK + id, options, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise<void>(() => {});
      })
      .catch((error: unknown) => {
        if (wait) resolve(false);
        else reject(error);
      });
  });
}
