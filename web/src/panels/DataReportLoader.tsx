import { TriangleAlert } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DataTraining, LoaderReport } from "../api/schema";
import { Badge, Section } from "../ui";
import styles from "./DataReport.module.css";
import { DataReportBuckets } from "./DataReportBuckets";
import { Place } from "./DataReportPlace";
import { formatNumber } from "./format";

/** One loader: warnings first, then numbers, texts, buckets and pictures. */
export function DataReportLoader({ loader }: { loader: LoaderReport }) {
  const { t } = useTranslation();
  const [bucket, setBucket] = useState<number | null>(null);
  return (
    <article className={styles.loader} aria-label={t("dataReport.loader", { node: loader.node })}>
      {loader.warnings.length > 0 && <Warnings loader={loader} />}
      <Section title={t("dataReport.loader", { node: loader.node })}>
        <dl className={styles.facts}>
          <Facts loader={loader} />
          {loader.training.map((one) => (
            <Training key={one.node} one={one} />
          ))}
        </dl>
      </Section>
      {loader.texts.map((texts) => (
        <Section key={texts.node} title={t("dataReport.encoder", { node: texts.node })}>
          {texts.reason && <p className={styles.warning}>{t("dataReport.reason", { reason: texts.reason })}</p>}
          <dl className={styles.texts}>
            {texts.captions.map((one) => (
              <div key={`${one.step} ${one.id}`}>
                <dt>{one.id}</dt>
                <dd>{one.text || <em>{t("dataReport.noCaption")}</em>}</dd>
              </div>
            ))}
          </dl>
        </Section>
      ))}
      <Section title={t("dataReport.buckets")} note={<Badge>{loader.buckets.length}</Badge>}>
        <DataReportBuckets loader={loader} chosen={bucket} onChoose={setBucket} />
      </Section>
      {loader.sheet.length > 0 && <Sheet loader={loader} bucket={bucket} />}
    </article>
  );
}

function Warnings({ loader }: { loader: LoaderReport }) {
  const { t } = useTranslation();
  return (
    <Section title={t("dataReport.warnings")} note={<Badge tone="warn">{loader.warnings.length}</Badge>}>
      <ul className={styles.list}>
        {loader.warnings.map((one) => (
          <li key={`${one.code} ${one.message}`}>
            <TriangleAlert size={13} className={styles.icon} aria-hidden /> <Place node={one.node} /> {one.message}
            {one.ids.length > 0 && (
              <span className={styles.hint}>
                {one.ids.join(", ")}
                {one.count > one.ids.length && ` ${t("dataReport.more", { count: one.count - one.ids.length })}`}
              </span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ loader }: { loader: LoaderReport }) {
  const { t } = useTranslation();
  const { samples, sizes } = loader;
  const left = loader.buckets.reduce((sum, one) => sum + one.leftover, 0);
  return (
    <>
      <Fact name={t("dataReport.sources")}>
        {loader.sources.map((one) => (
          <span key={one.node} className={styles.part}>
            <Place node={one.node} /> {one.samples}
          </span>
        ))}
      </Fact>
      {sizes && (
        <>
          <Fact name={t("dataReport.pictures")}>
            {samples === loader.pictures ? samples : t("dataReport.picturesOf", { pictures: loader.pictures, samples })}
          </Fact>
          <Fact name={t("dataReport.sizes")}>
            {[sizes.smallest, sizes.median, sizes.largest].map((size) => size.join("×")).join(" · ")}
          </Fact>
        </>
      )}
      <Fact name={t("dataReport.captions")}>
        {t("dataReport.captionsOf", { captions: loader.captions, samples, distinct: loader.distinct })}
      </Fact>
      {(["conditions", "masks", "transformed"] as const).map(
        (key) =>
          loader[key] > 0 && (
            <Fact key={key} name={t(`dataReport.${key}`)}>
              {loader[key]}
            </Fact>
          ),
      )}
      <Fact name={t("dataReport.batches")}>
        {loader.batches} × {loader.batch_size} = {loader.per_epoch}
      </Fact>
      <Fact name={t("dataReport.leftover")}>
        {left > 0 ? `${left}, ${t(`dataReport.leftover.${loader.leftover}`)}` : t("dataReport.none")}
      </Fact>
    </>
  );
}

function Training({ one }: { one: DataTraining }) {
  const { t, i18n } = useTranslation();
  const seen = t("dataReport.seenTimes", { seen: formatNumber(one.seen, i18n.language) });
  return (
    <>
      <Fact name={t("dataReport.training")}>
        <Place node={one.node} />
      </Fact>
      <Fact name={t("dataReport.steps")}>
        {one.steps}
        {one.accumulate > 1 && `, ${t("dataReport.accumulated", { count: one.accumulate })}`}
      </Fact>
      <Fact name={t("dataReport.epochs")}>{formatNumber(one.epochs, i18n.language)}</Fact>
      <Fact name={t("dataReport.samplesSeen")}>{one.samples}</Fact>
      <Fact name={t("dataReport.seen")}>
        {seen}
        {one.never > 0 && `; ${t("dataReport.never", { count: one.never })}`}
      </Fact>
    </>
  );
}

function Sheet({ loader, bucket }: { loader: LoaderReport; bucket: number | null }) {
  const { t } = useTranslation();
  const tiles = loader.sheet.filter((tile) => bucket === null || tile.bucket === bucket);
  return (
    <Section title={t("dataReport.sheet")} note={<Badge>{tiles.length}</Badge>}>
      <ul className={styles.sheet}>
        {tiles.map((tile, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a sample may be there twice, and the list never moves
          <li key={index}>
            <img src={tile.picture} width={tile.width} height={tile.height} alt={tile.id} />
            <span className={styles.caption}>{tile.caption}</span>
            <span className={styles.id}>{tile.id}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
