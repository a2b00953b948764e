import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { useBody, usePath } from "../state/tabs";
import { Spinner } from "../ui";
import styles from "./Inspector.module.css";
import { InspectorGraph } from "./InspectorGraph";

const InspectorEdge = lazy(() => import("./InspectorEdge").then((m) => ({ default: m.InspectorEdge })));
const InspectorMany = lazy(() => import("./InspectorMany").then((m) => ({ default: m.InspectorMany })));
const InspectorNode = lazy(() => import("./InspectorNode").then((m) => ({ default: m.InspectorNode })));

/** What can be said and set about what is selected: a node, several, a wire, or the graph itself. */
export function Inspector() {
  const { t } = useTranslation();
  const specs = useSpecs((state) => state.index);
  const body = useBody();
  const path = usePath();
  const selection = useSession((state) => state.selection);
  const wires = useSession((state) => state.selectedEdges);
  // what was deleted or belongs to a note is not shown
  const nodes = [...selection].filter((id) => Object.hasOwn(body.nodes, id));
  const [node] = nodes;
  const wire = [...wires].find((target) => Object.hasOwn(body.edges, target));

  if (!specs) {
    return (
      <p className={styles.loading} role="status">
        <Spinner /> {t("forms.loading")}
      </p>
    );
  }
  const shown = () => {
    if (nodes.length > 1) return <InspectorMany path={path} nodes={nodes} specs={specs} />;
    // another node is another set of fields: what was being typed is stored, not carried over
    if (node !== undefined)
      return <InspectorNode key={[...path, node].join("/")} path={path} node={node} specs={specs} />;
    if (wire !== undefined) return <InspectorEdge path={path} target={wire} specs={specs} />;
    return <InspectorGraph key={path.join("/")} path={path} />;
  };
  return <Suspense fallback={null}>{shown()}</Suspense>;
}
