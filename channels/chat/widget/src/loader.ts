/* The one script tag:
 *
 *   <script src="https://desk.example/chat/widget.js" data-inbox="website" async></script>
 *
 * data-inbox      the chat inbox
 * data-title      the heading of the panel; otherwise the inbox's, then the company's name
 * data-language   en, zh, de, es, fr, ja or ar; otherwise the page's language, then the browser's
 * data-color      the accent colour as #rrggbb; otherwise the inbox's
 * data-identity   JSON {id, name, expires, signature} of a signed-in customer
 */
import type { SignedIdentity } from "./api.ts";
import { start } from "./launcher.ts";

const script = document.currentScript as HTMLScriptElement | null;

function identityOf(text: string | undefined): SignedIdentity | null {
  try {
    return text ? (JSON.parse(text) as SignedIdentity) : null;
  } catch {
    return null; // speaks as nobody: a broken signature must not pass for one
  }
}

if (script && !window.Frontdesk) {
  const { inbox, title, language, color, identity } = script.dataset;
  window.Frontdesk = start({
    server: new URL(script.src, location.href).origin,
    inbox: inbox || "website",
    title, language, color,
    identity: identityOf(identity),
  });
}
