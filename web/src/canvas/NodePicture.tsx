import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { Artifact } from "../api/schema";
import { useNodePicture, useRuns } from "../state/run";
import { useSession } from "../state/session";
import { useStamp } from "../state/stamps";
import { cx } from "../ui";
import styles from "./NodePicture.module.css";
import { useNodeMark } from "./nodeState";

/** Pictures smaller than this are drawn in whole pixels: blurring a 32-pixel emoji hides what the model does. */
const SMALL = 160;

const lastOf = new WeakMap<readonly Artifact[], Map<string, Artifact>>();

/** The last picture that each node wrote. */
function lastPicture(artifacts: readonly Artifact[], flat: string): Artifact | undefined {
  let last = lastOf.get(artifacts);
  if (!last) {
    last = new Map();
    for (const one of artifacts) if (one.type === "image") last.set(one.node, one);
    lastOf.set(artifacts, last);
  }
  return last.get(flat);
}

/** A node's value as a picture, or the picture that it wrote last. */
export function NodePicture({ flat, title }: { flat: string; title: string }) {
  const { t } = useTranslation();
  const live = useNodePicture(flat);
  const last = useRuns(({ artifacts, here }) => (here ? lastPicture(artifacts, flat) : undefined));
  const stamp = useStamp(last?.uri, last?.seq);
  const stale = useNodeMark(flat)?.mark === "stale";
  const [small, setSmall] = useState(false);
  const [broken, setBroken] = useState<string | null>(null);
  const source = live ?? (last && typeof stamp === "string" ? api.thumbUrl(last.uri, 512, stamp) : undefined);
  if (!source || source === broken) return null;
  return (
    <button
      type="button"
      className={cx(styles.frame, "nodrag")}
      aria-label={t("canvas.node.openPicture", { title })}
      onClick={() => useSession.getState().showDock("gallery")}
    >
      <img
        src={source}
        alt={t("canvas.node.picture", { title })}
        className={cx(styles.picture, small && styles.small, stale && styles.stale)}
        draggable={false}
        onLoad={(event) => setSmall(event.currentTarget.naturalWidth < SMALL)}
        onError={() => setBroken(source)}
      />
    </button>
  );
}
