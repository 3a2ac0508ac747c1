import ui from '@nuxt/ui/vite';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'electron-vite';
import { resolve } from 'node:path';
import type { Plugin } from 'vite';

const page = resolve(import.meta.dirname, 'src/renderer');

/** Deep links are answered with the same page, so its files need absolute addresses; electron-vite would set relative ones. */
const absoluteAddresses: Plugin = {
  name: 'absolute-addresses',
  enforce: 'post',
  config: (config) => {
    config.base = '/';
  },
};

export default defineConfig({
  main: {
    build: {
      target: 'node24',
      rolldownOptions: {
        input: {
          index: 'src/main/index.ts',
          cli: 'src/main/cli.ts',
          trainer: 'src/main/trainer.ts',
          importer: 'src/main/importer.ts',
          reporter: 'src/main/reporter.ts',
          viewer: 'src/main/viewer.ts',
          converter: 'src/main/converter.ts',
          augmentWorker: 'src/main/data/augmentWorker.ts',
        },
        output: { format: 'es', entryFileNames: '[name].js' },
      },
    },
  },
  preload: {
    build: {
      rolldownOptions: { input: { index: 'src/preload/index.ts' }, output: { format: 'cjs', entryFileNames: '[name].cjs' } },
    },
  },
  renderer: {
    root: page,
    publicDir: resolve(page, 'public'),
    resolve: { alias: [{ find: /^@iconify\/vue$/, replacement: resolve(page, 'icons.ts') }] },
    plugins: [
      absoluteAddresses,
      vue(),
      ui({
        colorMode: false,
        autoImport: false,
        components: { dts: resolve(page, 'node_modules/.nuxt-ui/components.d.ts') },
        root: page,
        icon: { clientBundle: { scan: true, sizeLimitKb: 0 } },
        theme: { defaultVariants: { size: 'sm' } },
        ui: { colors: { primary: 'sky', neutral: 'zinc' } },
      }),
    ],
    build: {
      target: 'chrome140',
      minify: true,
      reportCompressedSize: false,
      rolldownOptions: { input: resolve(page, 'index.html') },
    },
  },
});
