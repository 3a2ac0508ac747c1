import { defineConfig } from 'electron-vite';

export default defineConfig({
  main: {
    build: {
      target: 'node24',
      rolldownOptions: {
        input: {
          cli: 'src/main/cli.ts',
          trainer: 'src/main/trainer.ts',
          importer: 'src/main/importer.ts',
          augmentWorker: 'src/main/data/augmentWorker.ts',
        },
        output: { format: 'es', entryFileNames: '[name].js' },
      },
    },
  },
});
