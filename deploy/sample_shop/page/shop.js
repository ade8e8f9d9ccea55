// The example questions fill the chat's field; the visitor sends them.
"use strict";
for (const button of document.querySelectorAll("[data-question]")) {
  button.addEventListener("click", () => window.Frontdesk && window.Frontdesk.ask(button.dataset.question));
}
