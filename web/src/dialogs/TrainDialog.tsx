import { CircleAlert, CircleCheck, FolderUp, ImagePlus, Images } from "lucide-react";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { Opened, Uploaded } from "../api/schema";
import { complete } from "../graph/normal";
import { interfaceValue } from "../graph/values";
import { addTexts } from "../i18n";
import english from "../i18n/en/trainOn.json";
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
  type Count,
  counted,
  EFFORTS,
  type Effort,
  findModel,
  prepared,
  reading,
  STEPS,
  TEMPLATE,
  trainable,
} from "./training";

addTexts(english);

const MODEL = { type: "string" };
const MODEL_HINT = { kind: "model", kind_of: "any", suffixes: [".safetensors", ".gguf"] } as const;

/** From a folder of pictures to a LoRA: drop it, name it, choose an effort, run. */
export function TrainDialog({ onClose }: DialogProps<"trainOnMyPictures">) {
  const {
    t,
    i18n: { language },
  } = useTranslation();
  const id = useId();
  const specs = useSpecs((state) => state.index);
  const [template, setTemplate] = useState<Opened | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [none, setNone] = useState(false);
  const [count, setCount] = useState<Count | null>(null);
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

  // counted by the node that will read them, so that both say the same; whichever of the two comes last
  useEffect(() => {
    if (!template || !sent) return;
    const stop = new AbortController();
    const request = { graph: reading(complete(template.graph), sent.uri), lang: language, of: "train" };
    api
      .dataReport(request, () => {}, { signal: stop.signal })
      .then(
        (report) => setCount(counted(report)),
        (error: unknown) => {
          if (!stop.signal.aborted) setCount({ pictures: 0, captioned: 0, problem: problemsOf(error)[0] ?? null });
        },
      );
    return () => stop.abort();
  }, [template, sent, language]);

  const take = async (dropped: Dropped) => {
    setSent(null);
    setCount(null);
    const files = trainable(dropped.files);
    setNone(files.length === 0);
    if (files.length === 0) return;
    setSent(await upload.send("data", { files, folder: dropped.folder ?? "pictures" }));
  };
  const over = useFileDrop(area, (dropped) => void take(dropped));
  const close = () => {
    upload.cancel();
    onClose(null);
  };
  const ready =
    template !== null && specs !== null && sent !== null && count !== null && !count.problem && model !== "";

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
      title={t("trainOn.title")}
      description={t("trainOn.text")}
      onOpenChange={(open) => !open && close()}
      footer={
        <>
          <Button onClick={close}>{t("forms.cancel")}</Button>
          <Button type="submit" form={id} variant="primary" disabled={!ready} loading={busy}>
            {t("trainOn.run")}
          </Button>
        </>
      }
    >
      <form id={id} className={styles.form} onSubmit={(event) => void submit(event)}>
        <fieldset ref={area} className={styles.drop} data-over={over || undefined} aria-label={t("trainOn.pictures")}>
          <Images size={28} aria-hidden />
          <p>{t("trainOn.drop")}</p>
          <span className={styles.dropButtons}>
            <PickFiles folder icon={<FolderUp size={14} />} onPick={(dropped) => void take(dropped)}>
              {t("trainOn.chooseFolder")}
            </PickFiles>
            <PickFiles
              icon={<ImagePlus size={14} />}
              accept="image/*,.txt,.caption,.json,.jsonl,.yaml,.yml,.csv,.tsv,.parquet"
              onPick={(dropped) => void take(dropped)}
            >
              {t("trainOn.chooseFiles")}
            </PickFiles>
          </span>
          <div role="status" className={styles.dropState}>
            {upload.progress !== null && <Progress value={upload.progress} label={t("forms.upload.running")} />}
            {sent && !count && <p className={styles.muted}>{t("trainOn.counting")}</p>}
            {count?.problem && (
              <p className={styles.bad}>
                <CircleAlert size={13} aria-hidden /> {count.problem.message} {count.problem.hint}
              </p>
            )}
            {count && !count.problem && (
              <p className={styles.good}>
                <CircleCheck size={13} aria-hidden />
                {t("trainOn.count", { count: count.pictures, captioned: count.captioned })}
                {count.captioned < count.pictures && t("trainOn.uncaptioned")}
              </p>
            )}
            {none && (
              <p className={styles.bad}>
                <CircleAlert size={13} aria-hidden /> {t("trainOn.none")}
              </p>
            )}
          </div>
        </fieldset>
        <Field htmlFor={`${id}-trigger`} label={t("trainOn.trigger")} help={t("trainOn.triggerHelp")}>
          <TextField
            id={`${id}-trigger`}
            value={trigger}
            maxLength={200}
            placeholder={t("trainOn.triggerExample")}
            onChange={(event) => setTrigger(event.currentTarget.value)}
          />
        </Field>
        <Field label={t("trainOn.effort")} help={t("trainOn.effortHelp", { steps: STEPS[effort] })}>
          <Segments
            label={t("trainOn.effort")}
            value={effort}
            onChange={setEffort}
            options={EFFORTS.map((value) => ({ value, label: t(`trainOn.${value}`) }))}
          />
        </Field>
        <Field htmlFor={`${id}-model`} label={t("trainOn.model")} help={t("trainOn.modelHelp")}>
          <ValueWidget
            ids={{ id: `${id}-model`, labelledBy: `${id}-model`, describedBy: undefined }}
            label={t("trainOn.model")}
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
