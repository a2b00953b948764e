import { CircleAlert, CircleCheck, FolderUp, ImagePlus, Images } from "lucide-react";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { Opened, Uploaded } from "../api/schema";
import { complete } from "../graph/normal";
import { interfaceValue } from "../graph/values";
import { startRun } from "../state/run";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, useTabs } from "../state/tabs";
import { Button, Field, Progress, Segments, TextField } from "../ui";
import { Dialog } from "../ui/Dialog";
import type { Dropped } from "../widgets/dropped";
import { PickFiles } from "../widgets/PickFiles";
import { useFileDrop } from "../widgets/useFileDrop";
import { listing } from "../widgets/useListing";
import { useUpload } from "../widgets/useUpload";
import { ValueWidget } from "../widgets/ValueWidget";
import styles from "./dialogs.module.css";
import type { DialogProps } from "./kinds";
import { modelShape } from "./modelShape";
import {
  countPictures,
  EFFORTS,
  type Effort,
  findModel,
  type Pile,
  prepared,
  STEPS,
  TEMPLATE,
  trainable,
} from "./training";

const MODEL = { type: "string" };
const MODEL_HINT = { kind: "model", kind_of: "any", suffixes: [".safetensors"] } as const;

/** From a folder of pictures to a LoRA: drop it, name it, choose an effort, run. */
export function TrainDialog({ onClose }: DialogProps<"trainOnMyPictures">) {
  const { t } = useTranslation();
  const id = useId();
  const specs = useSpecs((state) => state.index);
  const [template, setTemplate] = useState<Opened | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [pile, setPile] = useState<Pile | null>(null);
  const [sent, setSent] = useState<Uploaded | null>(null);
  const [trigger, setTrigger] = useState("");
  const [effort, setEffort] = useState<Effort>("normal");
  const [model, setModel] = useState("");
  const [busy, setBusy] = useState(false);
  const upload = useUpload();
  const area = useRef<HTMLFieldSetElement>(null);

  useEffect(() => {
    if (!specs) return;
    const load = async () => {
      const opened = await api.template(TEMPLATE);
      setTemplate(opened);
      const usual = interfaceValue(complete(opened.graph), [], "model", specs);
      const wanted = typeof usual === "string" ? usual : "models:";
      const there = await listing("models:").catch(() => []);
      setModel((now) => now || (findModel(wanted, there) ?? wanted));
    };
    load().catch((error: unknown) => setProblem(problemsOf(error)[0]?.message ?? null));
  }, [specs]);

  const take = async (dropped: Dropped) => {
    setSent(null);
    const counted = countPictures(dropped.files);
    setPile(counted);
    if (counted.pictures === 0) return;
    setSent(await upload.send("data", { files: trainable(dropped.files), folder: dropped.folder ?? "pictures" }));
  };
  const over = useFileDrop(area, (dropped) => void take(dropped));
  const close = () => {
    upload.cancel();
    onClose(null);
  };
  const ready = template !== null && specs !== null && sent !== null && model !== "";

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!template || !specs || !sent || busy) return;
    setBusy(true);
    const shape = await modelShape(model);
    const wanted = { pictures: sent.uri, model, shape, trigger: trigger.trim(), effort };
    useTabs.getState().open({ ...template, name: null, etag: null }, "template");
    currentDoc().edit("forms.edit.train", (graph) => prepared(graph, wanted, specs));
    useSession.getState().setView("form");
    onClose(true);
    await startRun();
  };

  return (
    <Dialog
      open
      title={t("forms.train.title")}
      description={t("forms.train.text")}
      onOpenChange={(open) => !open && close()}
      footer={
        <>
          <Button onClick={close}>{t("forms.cancel")}</Button>
          <Button type="submit" form={id} variant="primary" disabled={!ready} loading={busy}>
            {t("forms.train.run")}
          </Button>
        </>
      }
    >
      <form id={id} className={styles.form} onSubmit={(event) => void submit(event)}>
        <fieldset
          ref={area}
          className={styles.drop}
          data-over={over || undefined}
          aria-label={t("forms.train.pictures")}
        >
          <Images size={28} aria-hidden />
          <p>{t("forms.train.drop")}</p>
          <span className={styles.dropButtons}>
            <PickFiles folder icon={<FolderUp size={14} />} onPick={(dropped) => void take(dropped)}>
              {t("forms.train.chooseFolder")}
            </PickFiles>
            <PickFiles icon={<ImagePlus size={14} />} accept="image/*,.txt" onPick={(dropped) => void take(dropped)}>
              {t("forms.train.chooseFiles")}
            </PickFiles>
          </span>
          <div role="status" className={styles.dropState}>
            {upload.progress !== null && <Progress value={upload.progress} label={t("forms.upload.running")} />}
            {pile && pile.pictures > 0 && (
              <p className={sent ? styles.good : styles.muted}>
                {sent && <CircleCheck size={13} aria-hidden />}
                {t("forms.train.count", { count: pile.pictures, captioned: pile.captioned })}
              </p>
            )}
            {pile?.pictures === 0 && (
              <p className={styles.bad}>
                <CircleAlert size={13} aria-hidden /> {t("forms.train.none")}
              </p>
            )}
          </div>
        </fieldset>
        <Field htmlFor={`${id}-trigger`} label={t("forms.train.trigger")} help={t("forms.train.triggerHelp")}>
          <TextField
            id={`${id}-trigger`}
            value={trigger}
            maxLength={200}
            placeholder={t("forms.train.triggerExample")}
            onChange={(event) => setTrigger(event.currentTarget.value)}
          />
        </Field>
        <Field label={t("forms.train.effort")} help={t("forms.train.effortHelp", { steps: STEPS[effort] })}>
          <Segments
            label={t("forms.train.effort")}
            value={effort}
            onChange={setEffort}
            options={EFFORTS.map((value) => ({ value, label: t(`forms.train.${value}`) }))}
          />
        </Field>
        <Field htmlFor={`${id}-model`} label={t("forms.train.model")} help={t("forms.train.modelHelp")}>
          <ValueWidget
            ids={{ id: `${id}-model`, labelledBy: `${id}-model`, describedBy: undefined }}
            label={t("forms.train.model")}
            value={model}
            schema={MODEL}
            hint={{ ...MODEL_HINT, suffixes: [...MODEL_HINT.suffixes] }}
            place={null}
            onChange={(value) => setModel(String(value))}
            onEnd={() => {}}
          />
        </Field>
        {(problem ?? upload.problem) && (
          <p className={styles.bad} role="alert">
            <CircleAlert size={13} aria-hidden /> {problem ?? upload.problem?.message}
          </p>
        )}
      </form>
    </Dialog>
  );
}
