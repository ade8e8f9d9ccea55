import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// Served below /desk/ by the web process. The strict CSP allows neither inline scripts nor inline
// styles, so nothing is inlined here.
export default defineConfig({
  base: "/desk/",
  plugins: [svelte({ compilerOptions: { runes: true } })],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
});
