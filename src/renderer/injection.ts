import { inject, type InjectionKey } from 'vue';
import { LabError } from '../shared/contract/errors.ts';
import type { LabConnection } from './connection.ts';

export const labKey: InjectionKey<LabConnection> = Symbol('lab');

/** The connection the application was given; stores and setup functions only. */
export function useConnection(): LabConnection {
  const connection = inject(labKey);
  if (connection === undefined) throw new LabError('internal', 'The page has no connection to the lab.');
  return connection;
}
