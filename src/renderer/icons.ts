// Stands in for '@iconify/vue' in the build: the same names without the code that fetches icons from a network. Every icon is bundled.
import { addCollection, addIcon as addOffline, Icon } from '@iconify/vue/offline';

type IconData = Parameters<typeof addOffline>[1];

const known = new Set<string>();

export { addCollection, Icon };

/** Known afterwards both as `lucide:house` and as `lucide-house`. */
export function addIcon(name: string, data: IconData): boolean {
  for (const one of [name, name.replace(':', '-')]) {
    known.add(one);
    addOffline(one, data);
  }
  return true;
}

export function iconLoaded(name: string): boolean {
  return known.has(name);
}
