import { CircleAlert, ImagePlus, Play, Save, Square, StepForward } from "lucide-react";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import type { GraphFile, NodeRun } from "../api/schema";
import { type BodyPath, bodyAt, validPath } from "../graph/body";
import type { SpecIndex } from "../graph/ports";
import { addTexts } from "../i18n";
import english from "../i18n/en/formView.json";
import { useCheck } from "../state/check";
import { isOpen, useJob } from "../state/queue";
import { cancelRun, requestRun, startRun, useRuns } from "../state/run";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { isBlank, useGraph, useTabs } from "../state/tabs";
import { Button, Progress } from "../ui";
import styles from "./FormView.module.css";
import { formatNumber } from "./format";
import { groupProblems, placeOf } from "./problemGroups";
import { RunStatus } from "./RunStatus";

addTexts(english);

const Chart = lazy(() => import("./Chart").then(({ Chart }) => ({ default: Chart })));
const Gallery = lazy(() => import("./Gallery").then(({ Gallery }) => ({ default: Gallery })));

export interface Working {
  flat: string;
  run: NodeRun;
  /** What to call it: its own title, else that of its type. */
  title: string;
  /** It owns a region and changes weights, so it trains: it can be asked for pictures, a checkpoint or its end. */
  trains: boolean;
}

/** The node that says how far a run is: of those at work with a known end, the outermost training, else the first. */
export function workingNode(
  graph: GraphFile,
  nodes: Readonly<Record<string, NodeRun>>,
  specs: SpecIndex,
): Working | null {
  const working = Object.entries(nodes).flatMap(([flat, run]): Working[] => {
    if (run.state !== "running") return [];
    const path: BodyPath = flat.split("/");
    const id = path.pop() ?? flat;
    const entry = validPath(graph, path).length === path.length ? bodyAt(graph, path).nodes[id] : undefined;
    const spec = entry && specs.byId.get(entry.type);
    if (!entry || !spec) return [];
    return [{ flat, run, title: entry.title ?? spec.title, trains: spec.body && spec.mutates.length > 0 }];
  });
  const rank = (one: Working) => (one.trains ? 0 : one.run.total === undefined ? 2 : 1);
  const depth = (one: Working) => one.flat.split("/").length;
  return working.sort((a, b) => rank(a) - rank(b) || depth(a) - depth(b))[0] ?? null;
}

/** Run, how far it is, what can be asked of a training, and its pictures and curves. */
export function FormRun() {
  const { t, i18n } = useTranslation();
  const graph = useGraph();
  const specs = useSpecs((state) => state.index);
  const tab = useTabs((state) => state.active);
  const shown = useRuns((state) => state.shown[tab] ?? null);
  const nodes = useRuns((state) => state.nodes);
  const job = useJob(shown);
  const problems = useCheck((state) => state.check?.problems ?? NONE);
  const errors = problems.filter((problem) => problem.severity === "error");
  const { setView, showDock } = useSession.getState();
  const open = job !== undefined && isOpen(job);
  const ran = job && !open ? groupProblems({ check: NONE, job, nodes, packs: NONE }) : NONE;
  const reason = ran.flatMap((group) => group.problems)[0];
  const working = job?.status === "running" && specs ? workingNode(graph, nodes, specs) : null;

  return (
    <section className={styles.run} aria-label={t("formView.run")}>
      <div className={styles.buttons}>
        {open ? (
          <Button icon={<Square size={13} fill="currentColor" />} onClick={() => void cancelRun(job.id)}>
            {t("formView.cancel")}
          </Button>
        ) : (
          <Button
            variant="primary"
            icon={<Play size={13} fill="currentColor" />}
            disabled={errors.length > 0 || isBlank(graph)}
            onClick={() => void startRun()}
          >
            {t("formView.start")}
          </Button>
        )}
        {job && <RunStatus status={job.status} />}
        {working?.trains && job && (
          <fieldset className={styles.asks} aria-label={t("formView.ask")}>
            <Button size="s" icon={<ImagePlus size={13} />} onClick={() => void requestRun("sample", job.id)}>
              {t("formView.sample")}
            </Button>
            <Button size="s" icon={<Save size={13} />} onClick={() => void requestRun("save", job.id)}>
              {t("formView.save")}
            </Button>
            <Button size="s" icon={<StepForward size={13} />} onClick={() => void requestRun("stop", job.id)}>
              {t("formView.stop")}
            </Button>
          </fieldset>
        )}
      </div>
      {errors.length > 0 && !open && (
        <div className={styles.errors}>
          <ul>
            {errors.slice(0, MOST_ERRORS).map((problem) => (
              <li key={[problem.code, problem.node, problem.port, problem.message].join(" ")}>
                <CircleAlert size={13} aria-hidden />
                <span>
                  {problem.node && <code>{[problem.node, problem.port].filter(Boolean).join(".")} </code>}
                  {problem.message}
                  {problem.hint && <span className={styles.hint}> {problem.hint}</span>}
                </span>
              </li>
            ))}
          </ul>
          <Button
            size="s"
            variant="ghost"
            onClick={() => {
              setView("graph");
              showDock("problems");
            }}
          >
            {t("formView.allProblems", { count: errors.length })}
          </Button>
        </div>
      )}
      {reason && (
        <p className={styles.reason} role="alert">
          <CircleAlert size={13} aria-hidden />
          <span>
            {reason.node && <code>{placeOf(reason)} </code>}
            {reason.message}
            {reason.hint && <span className={styles.hint}> {reason.hint}</span>}
          </span>
        </p>
      )}
      {working && (
        <div className={styles.progress}>
          <p>
            <span>{working.title}</span>
            {working.run.total !== undefined && (
              <span className={styles.numbers}>
                {t("forms.inspector.of", { value: working.run.value ?? 0, total: working.run.total })}
              </span>
            )}
            {Object.entries(working.run.numbers ?? {}).map(([name, value]) => (
              <span key={name} className={styles.numbers}>
                {`${name} ${formatNumber(value, i18n.language)}`}
              </span>
            ))}
          </p>
          <Progress value={working.run.value} max={working.run.total} label={working.title} />
        </div>
      )}
      {shown !== null && (
        <Suspense fallback={null}>
          <div className={styles.part}>
            <h2 className={styles.partTitle}>{t("formView.pictures")}</h2>
            <div className={styles.gallery}>
              <Gallery />
            </div>
          </div>
          <div className={styles.part}>
            <h2 className={styles.partTitle}>{t("formView.loss")}</h2>
            <div className={styles.chart}>
              <Chart />
            </div>
          </div>
        </Suspense>
      )}
    </section>
  );
}

const MOST_ERRORS = 4;
const NONE: never[] = [];
