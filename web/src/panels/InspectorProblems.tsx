import { CircleAlert, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../api/schema";
import { placeOfProblem } from "../state/check";
import { useSession } from "../state/session";
import styles from "./Inspector.module.css";

/** What the check says about a node; one whose value is written at another node leads there. */
export function InspectorProblems({ problems, flat }: { problems: readonly Problem[]; flat: string }) {
  const { t } = useTranslation();
  const focusNode = useSession((state) => state.focusNode);
  if (problems.length === 0) return null;
  return (
    <ul className={styles.problems} aria-label={t("inspector.problems")}>
      {problems.map((problem) => {
        const Icon = problem.severity === "error" ? CircleAlert : TriangleAlert;
        const place = placeOfProblem(problem);
        const other = place !== null && place.node !== flat ? place : null;
        return (
          <li
            key={[problem.code, problem.node, problem.port, problem.message].join(" ")}
            className={styles[problem.severity]}
          >
            <Icon size={14} aria-hidden />
            <div>
              {other !== null && (
                <button type="button" className={styles.jump} onClick={() => focusNode(other.node, other.port)}>
                  {other.node}
                </button>
              )}
              <p>
                {other === null && place?.port && <code>{place.port}: </code>}
                {problem.message}
              </p>
              {problem.hint && <p className={styles.hint}>{problem.hint}</p>}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
