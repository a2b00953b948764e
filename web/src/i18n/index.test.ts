import { expect, test } from "vitest";
import i18n, { changeLanguage, detectLanguage } from ".";

test("the stored choice wins, then the first of the browser's languages that there is", () => {
  expect(detectLanguage("zh-CN", ["en-GB"])).toBe("zh-CN");
  expect(detectLanguage(null, ["fr-FR", "zh-TW", "en"])).toBe("zh-CN");
  expect(detectLanguage(null, ["de", "en-GB", "zh"])).toBe("en");
  expect(detectLanguage(null, ["de"])).toBe("en");
});

test("a language is fetched, shown, and told to the page", async () => {
  expect(i18n.t("shell.undo")).toBe("Undo");
  await changeLanguage("zh-CN");
  expect(i18n.t("shell.undo")).toBe("撤销");
  expect(i18n.t("shell.saved", { name: "a<b" })).toBe("已保存为 a<b");
  expect(document.documentElement.lang).toBe("zh-CN");
  await changeLanguage("en");
  expect(i18n.t("shell.undo")).toBe("Undo");
});
