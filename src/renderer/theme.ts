// Dark and light: the person's choice, else the system's. A class on the root element decides; charts ask for it.
import { readonly, ref } from 'vue';
import { recall, remember } from './memory.ts';

export type ThemeChoice = 'system' | 'light' | 'dark';

const system = globalThis.matchMedia('(prefers-color-scheme: dark)');
const choice = ref<ThemeChoice>('system');
const shown = ref<'light' | 'dark'>('light');

/** Call once before anything is drawn. */
export function startTheme(): void {
  const stored = recall<string>('theme', 'system');
  choice.value = stored === 'light' || stored === 'dark' ? stored : 'system';
  system.addEventListener('change', apply);
  apply();
}

export function useTheme() {
  return {
    choice: readonly(choice),
    shown: readonly(shown),
    choose: (next: ThemeChoice): void => {
      choice.value = next;
      remember('theme', next);
      apply();
    },
  };
}

function apply(): void {
  const isDark = choice.value === 'dark' || (choice.value === 'system' && system.matches);
  shown.value = isDark ? 'dark' : 'light';
  document.documentElement.classList.toggle('dark', isDark);
  document.documentElement.classList.toggle('light', !isDark);
}
