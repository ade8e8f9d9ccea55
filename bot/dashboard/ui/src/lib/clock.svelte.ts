/** The present, anew every half minute: for "waits 5 min" and the like. */
export const clock = $state({ now: Date.now() });

setInterval(() => {
  clock.now = Date.now();
}, 30_000);
