// Builds the page of `storyreel serve` into the package: npm ci && npm run build, in this folder.
import { defineConfig } from "vite";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    outDir: "../storyreel/serve/page",
    emptyOutDir: true,
    modulePreload: false,
    rollupOptions: { output: { entryFileNames: "studio.js", assetFileNames: "studio.[ext]" } },
  },
});
