/* Which language the widget speaks, and the few words that are needed before it is opened. */

export const LANGUAGES = ["en", "zh", "de", "es", "fr", "ja", "ar"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The first wish that is one of ours: the page's author's, the page's, the browser's. */
export function pickLanguage(...wishes: (string | null | undefined)[]): Language {
  for (const wish of wishes) {
    const base = (wish ?? "").toLowerCase().split("-")[0];
    const found = LANGUAGES.find((language) => language === base);
    if (found) return found;
  }
  return "en";
}

export const directionOf = (language: Language): "rtl" | "ltr" => (language === "ar" ? "rtl" : "ltr");

/** The launcher: to open, to close, and how many messages are new. */
export const LAUNCHER: Record<Language, readonly [string, string, string]> = {
  en: ["Open the chat", "Close the chat", "{n} new"],
  zh: ["打开聊天", "关闭聊天", "{n} 条新消息"],
  de: ["Chat öffnen", "Chat schließen", "{n} neu"],
  es: ["Abrir el chat", "Cerrar el chat", "{n} nuevos"],
  fr: ["Ouvrir le chat", "Fermer le chat", "{n} nouveaux"],
  ja: ["チャットを開く", "チャットを閉じる", "新着 {n} 件"],
  ar: ["فتح المحادثة", "إغلاق المحادثة", "{n} جديدة"],
};
