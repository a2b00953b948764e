import {
  CircleAlert,
  CircleCheck,
  CircleHelp,
  Copy,
  Download,
  FileInput,
  FileOutput,
  Package,
  ShieldAlert,
} from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { addTexts } from "../i18n";
import english from "../i18n/en/imported.json";
import { writeText } from "../state/clipboard";
import { Badge, Button, IconButton, Switch } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./dialogs.module.css";
import type { DialogProps } from "./kinds";
import { isRefused, rootsToAllow, trustCommand, wishesOf } from "./wishes";

addTexts(english);

/** What a graph would read, write and load, before it may; where a run may write besides is switched on here. */
export function ImportDialog({ graph, capabilities, purpose, onClose }: DialogProps<"import">) {
  const { t } = useTranslation();
  const { reads, writes, objects, unknown, packs, types_missing: types, files, hub } = capabilities;
  const [allowed, setAllowed] = useState<string[]>([]);
  const wishes = wishesOf(capabilities);
  const strange = files.filter((file) => file.found === null || file.same === false);
  const badPacks = packs.filter((pack) => !pack.ok);
  const runs = purpose !== "open";
  const refused = writes.filter((write) => isRefused(write, allowed));

  return (
    <Dialog
      open
      alert={runs}
      size="l"
      title={t(`imported.${purpose}Title`, { title: graph.meta.title || t("forms.graph.untitled") })}
      description={t(`imported.${purpose}Text`)}
      onOpenChange={(open) => !open && onClose(null)}
      footer={
        <>
          <Button onClick={() => onClose(null)}>{t("forms.cancel")}</Button>
          {purpose === "open" && <Button onClick={() => onClose("readOnly")}>{t("imported.readOnly")}</Button>}
          <Button
            variant="primary"
            autoFocus={!runs}
            disabled={runs && refused.length > 0}
            onClick={() => onClose(runs ? { allowWrite: allowed } : "open")}
          >
            {t(runs ? "imported.run" : "imported.open")}
          </Button>
        </>
      }
    >
      <div className={styles.wishes}>
        {wishes.none && <p className={styles.muted}>{t("imported.nothing")}</p>}
        <Part icon={<Package size={15} />} title={t("imported.missing")} count={wishes.missing} bad>
          {badPacks.map((pack) => (
            <Wish key={`pack ${pack.name}`} name={pack.name} bad={t("imported.pack", { requires: pack.requires })}>
              {pack.installed === null ? null : t("imported.installed", { version: pack.installed })}
            </Wish>
          ))}
          {types.map(({ type, nodes }) => (
            <Wish key={`type ${type}`} name={type} bad={t("imported.type")}>
              {nodes.join(", ")}
            </Wish>
          ))}
          {strange.map((file) => (
            <Wish
              key={`file ${file.uri}`}
              name={file.uri}
              bad={t(file.found === null ? "imported.file" : "imported.otherFile")}
            >
              {`sha256 ${file.sha256.slice(0, 12)}`}
              {file.hub && ` · ${file.hub}`}
            </Wish>
          ))}
        </Part>
        <Part
          icon={<ShieldAlert size={15} />}
          title={t("imported.objects")}
          count={objects.length}
          help={wishes.untrusted.length > 0 ? t("imported.objectsText") : undefined}
        >
          {objects.map(({ path, node, trusted }) => (
            <Wish
              key={`${node} ${path}`}
              name={path}
              node={node}
              good={trusted ? t("imported.trusted") : undefined}
              bad={trusted ? undefined : t("imported.untrusted")}
            >
              {trusted ? null : <Command text={trustCommand(path)} />}
            </Wish>
          ))}
        </Part>
        <Part
          icon={<FileInput size={15} />}
          title={t("imported.reads")}
          count={reads.length}
          bad={wishes.missingReads > 0}
        >
          {reads.map(({ uri, node, exists }) => (
            <Wish key={`${node} ${uri}`} name={uri} node={node} bad={exists ? undefined : t("imported.notThere")} />
          ))}
        </Part>
        <Part
          icon={<FileOutput size={15} />}
          title={t("imported.writes")}
          count={writes.length}
          bad={refused.length > 0}
        >
          {writes.map((write) => (
            <Wish
              key={`${write.node} ${write.uri}`}
              name={write.uri}
              node={write.node}
              bad={refused.includes(write) ? t("imported.notAllowed") : undefined}
            />
          ))}
        </Part>
        <Part
          icon={<CircleHelp size={15} />}
          title={t("imported.unknown")}
          count={unknown.length}
          help={t("imported.unknownText")}
        >
          {unknown.map(({ node, setting, source }) => (
            <Wish key={`${node} ${setting}`} name={`${node}.${setting}`} node={`← ${source}`} />
          ))}
        </Part>
        {runs &&
          rootsToAllow(capabilities).map((root) => (
            <Switch
              key={root}
              checked={allowed.includes(root)}
              onChange={(on) => setAllowed((now) => (on ? [...now, root] : now.filter((one) => one !== root)))}
              label={t("imported.allowWrite", { root })}
            />
          ))}
        <Part icon={<Download size={15} />} title={t("imported.hub")} count={hub.length}>
          {hub.map(({ uri, node }) => (
            <Wish key={`${node} ${uri}`} name={uri} node={node} />
          ))}
        </Part>
      </div>
    </Dialog>
  );
}

interface PartProps {
  icon: ReactNode;
  title: string;
  count: number;
  help?: string;
  bad?: boolean;
  children: ReactNode;
}

function Part({ icon, title, count, help, bad = false, children }: PartProps) {
  if (count === 0) return null;
  return (
    <section aria-label={title}>
      <h3 className={styles.heading}>
        {icon} {title} <Badge tone={bad ? "error" : "neutral"}>{count}</Badge>
      </h3>
      {help && <p className={styles.muted}>{help}</p>}
      <ul className={styles.list}>{children}</ul>
    </section>
  );
}

interface WishProps {
  name: string;
  node?: string;
  good?: string;
  bad?: string;
  children?: ReactNode;
}

function Wish({ name, node, good, bad, children }: WishProps) {
  return (
    <li className={styles.wish}>
      <code className={styles.wishName}>{name}</code>
      {node && <span className={styles.muted}>{node}</span>}
      {good && (
        <span className={styles.good}>
          <CircleCheck size={13} aria-hidden /> {good}
        </span>
      )}
      {bad && (
        <span className={styles.bad}>
          <CircleAlert size={13} aria-hidden /> {bad}
        </span>
      )}
      {children && <div className={styles.more}>{children}</div>}
    </li>
  );
}

function Command({ text }: { text: string }) {
  const { t } = useTranslation();
  return (
    <span className={styles.command}>
      <code>{text}</code>
      <IconButton size="s" label={t("forms.copy")} icon={<Copy size={13} />} onClick={() => void writeText(text)} />
    </span>
  );
}
