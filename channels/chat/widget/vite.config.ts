/* Three builds, in this order: the app, the loader that names the app's version, the npm form. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

const versionOfApp = (): string =>
  createHash("sha256").update(readFileSync("dist/app.js")).digest("hex").slice(0, 12);

const shared = { target: "es2022", modulePreload: false as const, reportCompressedSize: false };

export default defineConfig(({ mode }) => {
  if (mode === "app") {
    const output = { entryFileNames: "app.js", chunkFileNames: "[name].js" };
    const rollupOptions = { input: "src/app/app.ts", preserveEntrySignatures: "strict" as const, output };
    return { base: "./", logLevel: "warn", build: { ...shared, outDir: "dist", rollupOptions } };
  }
  const isLoader = mode === "loader";
  const lib = {
    entry: isLoader ? "src/loader.ts" : "src/package.ts",
    formats: [isLoader ? ("iife" as const) : ("es" as const)],
    name: "FrontdeskLoader",
    fileName: () => (isLoader ? "widget.js" : "index.js"),
  };
  return {
    logLevel: "warn",
    define: { __APP_VERSION__: JSON.stringify(versionOfApp()) },
    build: { ...shared, lib, outDir: isLoader ? "dist" : "dist/package", emptyOutDir: !isLoader },
  };
});
