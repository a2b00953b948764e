import { Ban, CircleCheck, CircleX, Clock, LoaderCircle } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { JobStatus } from "../api/schema";
import { Badge, Spinner, type Tone } from "../ui";

const TONES: Record<JobStatus, Tone> = {
  queued: "neutral",
  running: "running",
  done: "ok",
  failed: "error",
  cancelled: "warn",
};
const ICONS = { queued: Clock, running: LoaderCircle, done: CircleCheck, failed: CircleX, cancelled: Ban };

/** State of a run: icon, word and colour. */
export function RunStatus({ status }: { status: JobStatus }) {
  const { t } = useTranslation();
  const Icon = ICONS[status];
  return (
    <Badge tone={TONES[status]} icon={status === "running" ? <Spinner size={12} /> : <Icon size={12} aria-hidden />}>
      {t(`dock.status.${status}`)}
    </Badge>
  );
}
