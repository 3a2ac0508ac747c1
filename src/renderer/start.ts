import '@fontsource-variable/inter';
import './styles.css';
import ui from '@nuxt/ui/vue-plugin';
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { connectLab } from './connection.ts';
import { labKey } from './injection.ts';
import { createLabRouter } from './router.ts';
import { openPagePort } from './session.ts';
import { startTheme } from './theme.ts';

/** Composes the application and shows it. */
export function startPage(): void {
  startTheme();
  const connection = connectLab({ openPort: openPagePort });
  connection.onOtherWorkspace(() => location.assign('/'));
  const app = createApp(App);
  app.provide(labKey, connection);
  app.use(createPinia());
  app.use(createLabRouter());
  app.use(ui);
  app.mount('#app');
}
