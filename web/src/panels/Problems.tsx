import { CircleAlert, CircleCheck, CircleDashed, Copy, Lightbulb, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { placeOfProblem, useCheck } from "../state/check";
import { writeText } from "../state/clipboard";
import { useRuns } from "../state/run";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { isBlank, useDoc } from "../state/tabs";
import { Badge, Button, EmptyState, IconButton, Section, Spinner } from "../ui";
import styles from "./Problems.module.css";
import { type Fault, placeOf, textOf } from "./problemGroups";
import { Traceback } from "./Traceback";
import { useProblems } from "./useProblems";

/** The list of problems; a click goes to the place. */
export function Problems() {
  const { t } = useTranslation();
  const groups = useProblems();
  const pending = useCheck((state) => state.pending);
  const blank = useDoc((doc) => isBlank(doc.graph));
  const failed = useCheck((state) => state.failed !== null);
  // Places of a run mean nodes of its graph: without that graph in front there is nothing to jump to.
  const runIsHere = useRuns((state) => state.tab !== null && state.shown[state.tab] === state.active);
  if (groups.length === 0) {
    if (blank) return <EmptyState icon={<CircleDashed size={18} />} title={t("dock.problems.blank")} />;
    if (failed) return <EmptyState icon={<TriangleAlert size={18} />} title={t("dock.problems.unchecked")} />;
    return pending ? (
      <EmptyState icon={<Spinner size={18} />} title={t("dock.problems.checking")} />
    ) : (
      <EmptyState icon={<CircleCheck size={18} />} title={t("dock.problems.none")} />
    );
  }
  const copyAll = () => void writeText(groups.flatMap((group) => group.problems.map(textOf)).join("\n"));
  return (
    <div className={styles.panel}>
      {groups.map(({ source, problems }, index) => (
        <Section
          key={source}
          title={t(`dock.problems.${source}`)}
          note={<Badge tone={source === "warnings" ? "warn" : "error"}>{problems.length}</Badge>}
          actions={
            index === 0 && (
              <Button variant="ghost" size="s" icon={<Copy size={13} />} onClick={copyAll}>
                {t("dock.problems.copyAll")}
              </Button>
            )
          }
          flush
        >
          <ul className={styles.list}>
            {problems.map((problem) => (
              <ProblemRow key={textOf(problem)} problem={problem} jump={source !== "run" || runIsHere} />
            ))}
          </ul>
        </Section>
      ))}
    </div>
  );
}

function ProblemRow({ problem, jump }: { problem: Fault; jump: boolean }) {
  const { t } = useTranslation();
  const focusNode = useSession((state) => state.focusNode);
  const { node, port } = problem;
  const warning = problem.severity === "warning";
  const explanation = useSpecs((state) => state.index?.codes.get(problem.code));
  const place = placeOf(problem);
  const at = placeOfProblem(problem);
  const body = (
    <>
      {warning ? (
        <TriangleAlert size={15} className={styles.warning} aria-label={t("dock.problems.warning")} />
      ) : (
        <CircleAlert size={15} className={styles.error} aria-label={t("dock.problems.error")} />
      )}
      <span className={styles.text}>
        <span className={styles.first}>
          {place && <code className={styles.place}>{place}</code>}
          <span>{explanation ?? problem.message}</span>
        </span>
        {explanation !== undefined && <span className={styles.message}>{problem.message}</span>}
        {problem.hint && (
          <span className={styles.hint}>
            <Lightbulb size={13} aria-hidden />
            <span>{problem.hint}</span>
          </span>
        )}
      </span>
      <code className={styles.code}>{problem.code}</code>
    </>
  );
  return (
    <li className={styles.item}>
      {node !== undefined && jump ? (
        <button type="button" className={styles.row} onClick={() => focusNode(at?.node ?? node, at ? at.port : port)}>
          {body}
        </button>
      ) : (
        <div className={styles.row}>{body}</div>
      )}
      <IconButton
        label={t("dock.problems.copy")}
        icon={<Copy size={13} />}
        size="s"
        onClick={() => void writeText(textOf(problem))}
      />
      {problem.traceback && <Traceback text={problem.traceback} className={styles.trace} />}
    </li>
  );
}
