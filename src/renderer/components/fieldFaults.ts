// What is typed but cannot be used yet: a field keeps the text with its fault, the page knows that something is unfinished.
import { inject, onBeforeUnmount, shallowReactive, shallowRef, type InjectionKey, type ShallowRef } from 'vue';

/** Faults as sentences by the place of the field. */
export type FieldFaults = Map<string, string>;

export const fieldFaultsKey: InjectionKey<FieldFaults> = Symbol('field faults');

export function createFieldFaults(): FieldFaults {
  return shallowReactive(new Map<string, string>());
}

export interface FieldFault {
  readonly fault: ShallowRef<string | null>;
  set(fault: string | null): void;
}

/** One field's fault; it ends with the field. */
export function useFieldFault(place: () => string, label: () => string): FieldFault {
  const faults = inject(fieldFaultsKey, null);
  const fault = shallowRef<string | null>(null);
  const key = place();
  onBeforeUnmount(() => faults?.delete(key));
  return {
    fault,
    set: (next) => {
      fault.value = next;
      if (next === null) faults?.delete(key);
      else faults?.set(key, `${label()}: ${next}`);
    },
  };
}
