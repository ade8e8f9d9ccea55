/* The npm form: `import { mount } from "@frontdesk/widget"` in place of the script tag. */
import type { FrontdeskApi, Options } from "./api.ts";
import { start } from "./launcher.ts";

export type { EventName, Events, FrontdeskApi, Options, SignedIdentity } from "./api.ts";

/** Put the chat on the page, once; a second call returns the first one's API. */
export function mount(options: Options): FrontdeskApi {
  window.Frontdesk ??= start({ ...options, server: new URL(options.server, location.href).origin });
  return window.Frontdesk;
}
