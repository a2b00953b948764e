import { FormInput, Workflow } from "lucide-react";
import { useTranslation } from "react-i18next";
import { addTexts } from "../i18n";
import english from "../i18n/en/formView.json";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { useGraph } from "../state/tabs";
import { Button, EmptyState, Section, Spinner } from "../ui";
import { SettingField } from "../widgets/SettingField";
import { FormRun } from "./FormRun";
import styles from "./FormView.module.css";
import { type FormField, formFields } from "./formFields";
import { HelpPanel } from "./HelpPanel";

addTexts(english);

/** The graph as a plain form: what its interface names, Run, and what comes of it. */
export function FormView() {
  const { t } = useTranslation();
  const graph = useGraph();
  const specs = useSpecs((state) => state.index);
  const setView = useSession((state) => state.setView);
  if (!specs) {
    return (
      <p className={styles.loading} role="status">
        <Spinner /> {t("forms.loading")}
      </p>
    );
  }
  const fields = formFields(graph, specs);
  const plain = fields.filter((field) => !field.setting.widget.advanced);
  const advanced = fields.filter((field) => field.setting.widget.advanced);
  return (
    <div className={styles.view}>
      <div className={styles.form}>
        <header className={styles.head}>
          <h1 className={styles.title}>{graph.meta.title || t("forms.graph.untitled")}</h1>
          <HelpPanel text={graph.meta.description ?? ""} />
        </header>
        {fields.length === 0 ? (
          <EmptyState
            icon={<FormInput size={24} />}
            title={t("formView.empty")}
            action={
              <Button icon={<Workflow size={14} />} onClick={() => setView("graph")}>
                {t("formView.toGraph")}
              </Button>
            }
          >
            {t("formView.emptyText")}
          </EmptyState>
        ) : (
          <Fields fields={plain} />
        )}
        {advanced.length > 0 && (
          <Section title={t("forms.inspector.advanced")} defaultOpen={false} flush>
            <Fields fields={advanced} />
          </Section>
        )}
      </div>
      <FormRun />
    </div>
  );
}

function Fields({ fields }: { fields: readonly FormField[] }) {
  return (
    <div className={styles.fields}>
      {fields.map(({ name, node, setting }) => (
        <SettingField
          key={`${name} ${node}.${setting.name}`}
          path={[]}
          node={node}
          setting={setting}
          name={name}
          showHelp="always"
          plain
        />
      ))}
    </div>
  );
}
