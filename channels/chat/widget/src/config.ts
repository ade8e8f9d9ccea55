/* The inbox's public settings, as GET /chat/{inbox} tells them. */

export interface FieldSetting {
  key: string;
  kind: "text" | "email" | "choice";
  label: Record<string, string>;
  required: boolean;
  choices: string[];
}

export interface WidgetSetting {
  accent: string;
  accent_dark: string;
  scheme: "auto" | "light" | "dark";
  position: "right" | "left";
  bot_name: string;
  texts: Record<string, Partial<Record<"title" | "hello" | "hello_more" | "placeholder", string>>>;
  prechat: { intro: Record<string, string>; fields: FieldSetting[] } | null;
  has_avatar: boolean;
  person: boolean;
  files: boolean;
  voice: boolean;
  sound: boolean;
  rating: boolean;
  transcript: boolean;
}

/** What a live preview shows; an avatar that is not saved yet comes along as base64. */
export type Preview = Partial<WidgetSetting> & { avatar?: string };

export interface Config {
  inbox: string;
  company: string;
  widget: WidgetSetting;
  hours: { is_open: boolean; opens_at: string | null; text: string };
  limits: { chars: number; files: number; file_bytes: number; all_bytes: number };
}

/** What holds where the server cannot be asked just now. */
export const DEFAULTS: Config = {
  inbox: "",
  company: "",
  widget: {
    accent: "#24483b",
    accent_dark: "",
    scheme: "auto",
    position: "right",
    bot_name: "",
    texts: {},
    prechat: null,
    has_avatar: false,
    person: true,
    files: false,
    voice: false,
    sound: true,
    rating: false,
    transcript: false,
  },
  hours: { is_open: true, opens_at: null, text: "" },
  limits: { chars: 20_000, files: 5, file_bytes: 10 * 2 ** 20, all_bytes: 20 * 2 ** 20 },
};
