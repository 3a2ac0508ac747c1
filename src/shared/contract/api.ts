// The one table of what the core can be asked, joined from its areas. Client, server, validation and handlers are derived from it.
import type { z } from 'zod';
import type { Method } from './method.ts';
import { comparisonMethods } from './methods/comparison.ts';
import { coreMethods } from './methods/core.ts';
import { datasetMethods } from './methods/datasets.ts';
import { fileMethods } from './methods/files.ts';
import { recipeMethods } from './methods/recipes.ts';
import { reportMethods } from './methods/reports.ts';
import { resultMethods } from './methods/results.ts';
import { runMethods } from './methods/runs.ts';
import { weightsMethods } from './methods/weights.ts';

export const api = {
  ...coreMethods,
  ...fileMethods,
  ...datasetMethods,
  ...recipeMethods,
  ...runMethods,
  ...resultMethods,
  ...comparisonMethods,
  ...reportMethods,
  ...weightsMethods,
} as const;

export type Api = typeof api;
export type MethodName = keyof Api;
/** What a caller passes: fields with a default may be left out. */
export type CallInput<Name extends MethodName> = z.input<Api[Name]['input']>;
export type HandlerInput<Name extends MethodName> = z.output<Api[Name]['input']>;
export type Answer<Name extends MethodName> = z.output<Api[Name]['output']>;

export interface CallContext {
  /** Aborted when the caller cancels, its deadline passes or its port closes. */
  readonly signal: AbortSignal;
}

type Handler<Row extends Method> = (
  input: z.output<Row['input']>,
  context: CallContext,
) => Promise<z.output<Row['output']>> | z.output<Row['output']>;

/** Handlers of one area of the table. */
export type HandlersOf<Methods extends Readonly<Record<string, Method>>> = { readonly [Name in keyof Methods]: Handler<Methods[Name]> };
export type Handlers = HandlersOf<Api>;
