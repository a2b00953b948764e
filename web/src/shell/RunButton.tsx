import type { TFunction } from "i18next";
import { ChevronDown, ChevronsUp, ImagePlus, MoveRight, Play, RotateCw, Save, Square, StepForward } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useCheck } from "../state/check";
import { keysOf, runCommand } from "../state/commands";
import { useRunningJob } from "../state/queue";
import { requestRun, trains } from "../state/run";
import { useSession } from "../state/session";
import { isBlank, useDoc } from "../state/tabs";
import { Button, IconButton, Menu, MenuItem, MenuLabel, MenuSeparator, Tooltip } from "../ui";
import { countPlan, type PlanCount } from "./plan";
import styles from "./RunButton.module.css";
import { attempt } from "./report";

/** Run, with how much that would be; more ways to run in its menu; cancel while something runs. */
export function RunButton() {
  const { t } = useTranslation();
  const count = countPlan(useCheck((state) => state.plan));
  const errors = useCheck((state) => state.check?.problems.filter((one) => one.severity === "error").length ?? 0);
  const running = useRunningJob() !== undefined;
  const again = useDoc(({ graph }) => trains(graph));
  const blank = useDoc((doc) => isBlank(doc.graph));
  const selected = useSession((state) => state.selection.size);

  return (
    <div className={styles.group}>
      {running && (
        <IconButton
          label={t("shell.cancel")}
          shortcut={keysOf("run.cancel")}
          icon={<Square size={14} fill="currentColor" />}
          variant="secondary"
          onClick={() => runCommand("run.cancel")}
        />
      )}
      <div className={styles.split}>
        <Tooltip
          content={
            blank ? t("shell.run.blank") : errors > 0 ? t("shell.run.errors", { count: errors }) : told(t, count)
          }
          shortcut={keysOf("run.run")}
        >
          <Button
            variant="primary"
            className={styles.main}
            icon={<Play size={13} fill="currentColor" />}
            // not taken out of the way of the keyboard: its hint says why
            aria-disabled={blank}
            onClick={() => !blank && runCommand("run.run")}
          >
            {t(running ? "shell.run.queue" : "shell.run")}
            {count && errors === 0 && <span className={styles.count}>{count.runs}</span>}
          </Button>
        </Tooltip>
        <Menu
          align="end"
          trigger={
            <button type="button" className={styles.more} aria-label={t("shell.run.more")}>
              <ChevronDown size={14} />
            </button>
          }
        >
          {count && <MenuLabel>{told(t, count)}</MenuLabel>}
          <MenuItem icon={<Play size={14} />} shortcut={keysOf("run.run")} onSelect={() => runCommand("run.run")}>
            {t("shell.run")}
          </MenuItem>
          <MenuItem
            icon={<MoveRight size={14} />}
            shortcut={keysOf("run.toHere")}
            disabled={selected === 0}
            hint={selected === 0 ? t("shell.run.toHere.none") : undefined}
            onSelect={() => runCommand("run.toHere")}
          >
            {t("shell.run.toHere")}
          </MenuItem>
          {again && (
            <MenuItem icon={<RotateCw size={14} />} onSelect={() => runCommand("run.again")}>
              {t("shell.run.again")}
            </MenuItem>
          )}
          <MenuItem icon={<ChevronsUp size={14} />} onSelect={() => runCommand("run.front")}>
            {t("shell.run.front")}
          </MenuItem>
          <MenuSeparator />
          <MenuLabel>{t("shell.run.while")}</MenuLabel>
          <MenuItem
            icon={<ImagePlus size={14} />}
            disabled={!running}
            onSelect={() => attempt(() => requestRun("sample"))}
          >
            {t("shell.run.sample")}
          </MenuItem>
          <MenuItem icon={<Save size={14} />} disabled={!running} onSelect={() => attempt(() => requestRun("save"))}>
            {t("shell.run.save")}
          </MenuItem>
          <MenuItem
            icon={<StepForward size={14} />}
            disabled={!running}
            onSelect={() => attempt(() => requestRun("stop"))}
          >
            {t("shell.run.stop")}
          </MenuItem>
        </Menu>
      </div>
    </div>
  );
}

/** The plan in a sentence. */
function told(t: TFunction, count: PlanCount | null): string {
  if (!count) return t("shell.run");
  const { runs, cached, checkpoint } = count;
  const parts = [t("shell.plan", { runs, cached })];
  if (checkpoint !== null) parts.push(t("shell.plan.checkpoint", { step: checkpoint }));
  return parts.join(" ");
}
