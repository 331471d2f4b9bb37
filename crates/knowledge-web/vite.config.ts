import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Pages are served from the binary, at the root of its host, without the internet.
export default defineConfig({
  base: '/',
  plugins: [react()],
  worker: { format: 'es' },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    sourcemap: false,
    // The query editor is large, and it is one page's business.
    chunkSizeWarningLimit: 8192,
    rolldownOptions: {
      input: { index: 'index.html', graphiql: 'graphiql.html' },
      // Directives for a compiler that has run already.
      checks: { moduleLevelDirective: false },
    },
  },
});
