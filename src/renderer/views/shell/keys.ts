import type { LabCommand } from '../../stores/commands.ts';

const sequenceMs = 1200;

/** Runs the command whose shortcut is typed: one chord (`Ctrl K`) or two keys in turn (`G R`); silent while a person types text or answers a dialog. */
export function createKeyListener(list: () => readonly LabCommand[]): (event: KeyboardEvent) => void {
  let first: { readonly key: string; readonly at: number } | null = null;
  return (event) => {
    const isTyping = isTextField(event.target) || isInDialog(event.target);
    const chord = describe(event);
    const found = find(list(), chord);
    if (found !== undefined && (!isTyping || (event.ctrlKey && chord === 'Ctrl K'))) {
      event.preventDefault();
      first = null;
      found.run();
      return;
    }
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const recent = first !== null && event.timeStamp - first.at < sequenceMs ? first.key : null;
    const sequence = recent === null ? undefined : find(list(), `${recent} ${chord}`);
    if (sequence !== undefined) {
      event.preventDefault();
      first = null;
      sequence.run();
      return;
    }
    first = { key: chord, at: event.timeStamp };
  };
}

function find(commands: readonly LabCommand[], keys: string): LabCommand | undefined {
  return commands.find((command) => command.keys === keys);
}

function describe(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  return event.ctrlKey || event.metaKey ? `Ctrl ${key}` : key;
}

/** What a shortcut would change stands behind the dialog. */
function isInDialog(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('[role=dialog]') !== null;
}

function isTextField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}
