import { api } from "../api/client";
import { recheck, startChecking } from "../state/check";
import { onEditError } from "../state/document";
import { startDrafts } from "../state/drafts";
import { usePreferences } from "../state/preferences";
import { isOpen, useQueue } from "../state/queue";
import { goLive } from "../state/run";
import { useServer } from "../state/server";
import { followTabs } from "../state/session";
import { openTemplate } from "./documents";
import { applyLanguage, followLanguage } from "./language";
import { attempt, report } from "./report";

/** What a first start shows: a graph that trains a small LoRA and draws a picture with it. */
const FIRST = "quickstart/train_lora";

let drafts: Promise<number> | null = null;

/** The tabs of last time come back once, also when the start is tried again. */
function restoreOnce(): Promise<number> {
  drafts ??= startDrafts();
  return drafts;
}

/** Bring the page to life: who the server is, its node types, the documents of last time. Throws ApiFailure. */
export async function boot(): Promise<void> {
  const [hello, restored] = await Promise.all([api.hello(), restoreOnce(), applyLanguage()]);
  useServer.setState({ hello });
  if (restored === 0) {
    drafts = Promise.resolve(1);
    await attempt(() => openTemplate(FIRST));
  }
}

/** Everything that goes on while the page is open. Returns the way to stop it. */
export function keepGoing(): () => void {
  const stops = [
    followTabs(),
    followLanguage(failedLanguage),
    onEditError(report),
    startChecking(),
    followQueue(),
    goLive(),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** What is cached changes with every run that ends. */
function followQueue(): () => void {
  return useQueue.subscribe(({ jobs }, before) => {
    if (jobs === before.jobs) return;
    const open = new Set(before.jobs.filter(isOpen).map((job) => job.id));
    if (jobs.some((job) => open.has(job.id) && !isOpen(job))) recheck();
  });
}

/** The new language could not be had: stay with the one on the screen. */
function failedLanguage(error: unknown): void {
  report(error);
  usePreferences.getState().set("language", document.documentElement.lang === "zh-CN" ? "zh-CN" : "en");
}
