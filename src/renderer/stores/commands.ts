// Every action of the lab with its name and shortcut, for the command palette and the list of shortcuts. Views add theirs while shown.
import { defineStore } from 'pinia';
import { onScopeDispose, shallowRef, triggerRef } from 'vue';

export interface LabCommand {
  readonly id: string;
  readonly label: string;
  readonly group: string;
  readonly icon: string;
  /** As people read it: `Ctrl K`, `G R` for one key after the other, `?`. */
  readonly keys?: string;
  readonly run: () => void;
}

export const useCommandsStore = defineStore('commands', () => {
  const commands = shallowRef<Map<string, LabCommand>>(new Map());
  /** Removed again by the function returned. */
  const add = (added: readonly LabCommand[]): (() => void) => {
    for (const command of added) commands.value.set(command.id, command);
    triggerRef(commands);
    return () => {
      for (const { id } of added) commands.value.delete(id);
      triggerRef(commands);
    };
  };
  return { commands, add };
});

/** Offers commands while the calling component lives. */
export function useCommands(commands: readonly LabCommand[]): void {
  onScopeDispose(useCommandsStore().add(commands));
}
