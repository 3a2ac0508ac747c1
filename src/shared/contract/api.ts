// The one table of what the core can be asked. Client, server, validation and handlers are derived from it. Methods that take paths of
// this machine are `local`: they are offered on the memory port and the local socket, never to a page.
import { z } from 'zod';
import {
  datasetDetailsSchema,
  datasetImportAnswerSchema,
  datasetRemovedSchema,
  datasetsAnswerSchema,
  doctorAnswerSchema,
  epochAnswerSchema,
  recipeParametersSchema,
  recipesAnswerSchema,
  runDetailsSchema,
  runsAnswerSchema,
  runsDeletedSchema,
  runsRestoredSchema,
  runStateAnswerSchema,
  runStateSchema,
  runSummarySchema,
} from './answers.ts';
import { datasetKinds } from './dataset.ts';
import { recipeSchema, runIdSchema } from './schema.ts';

export interface Method<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly input: Input;
  readonly output: Output;
  /** After this long the call is cancelled on both sides. */
  readonly deadlineMs: number;
  readonly reach: 'any' | 'local';
}

function method<Input extends z.ZodType, Output extends z.ZodType>(
  input: Input,
  output: Output,
  options: { deadlineMs?: number; reach?: 'any' | 'local' } = {},
): Method<Input, Output> {
  return { input, output, deadlineMs: options.deadlineMs ?? 10_000, reach: options.reach ?? 'any' };
}

const nothing = z.strictObject({});
const minutes = 60_000;
/** A run id, the beginning of one, or `last`. */
const run = z.string().min(1).max(64);
const datasetId = z.string().min(1).max(64);

/** A template by its id, or the content of a recipe file. */
export const recipeSourceSchema = z.discriminatedUnion('from', [
  z.strictObject({ from: z.literal('template'), id: z.string().min(1).max(64) }),
  z.strictObject({ from: z.literal('content'), content: z.unknown() }),
]);
export type RecipeSource = z.infer<typeof recipeSourceSchema>;

export const runRequestSchema = z.strictObject({
  recipe: recipeSourceSchema,
  datasetId: datasetId.nullable().default(null),
  settings: z
    .array(z.strictObject({ path: z.string().min(1).max(200), json: z.string().max(100_000) }))
    .max(200)
    .default([]),
  seeds: z.array(z.int().min(0).max(0x7fffffff)).min(1).max(100).nullable().default(null),
  protocol: z.enum(['document', 'sound']).nullable().default(null),
  name: z.string().min(1).max(120).nullable().default(null),
});
export type RunRequest = z.infer<typeof runRequestSchema>;

const runCreatedSchema = z.strictObject({
  group: z.string().nullable(),
  runs: z.array(runSummarySchema),
  /** Follow the events after this one to see everything that happens to these runs. */
  since: z.int().nonnegative(),
});

export const ownerSchema = z.strictObject({ pid: z.int(), host: z.string(), kind: z.string(), since: z.iso.datetime() });
export type Owner = z.infer<typeof ownerSchema>;

export const api = {
  'core.status': method(nothing, z.strictObject({ owner: ownerSchema, running: z.array(runIdSchema), queued: z.array(runIdSchema) })),
  'doctor.check': method(z.strictObject({ deep: z.boolean().default(false) }), doctorAnswerSchema, { deadlineMs: 15 * minutes }),
  'datasets.list': method(nothing, datasetsAnswerSchema),
  'datasets.show': method(z.strictObject({ datasetId }), datasetDetailsSchema),
  'datasets.import': method(
    z.strictObject({
      paths: z.array(z.string().min(1)).min(1).max(1000),
      name: z.string().min(1).max(120).nullable().default(null),
      size: z.int().positive().max(1024).nullable().default(null),
      kind: z.enum(datasetKinds).nullable().default(null),
    }),
    datasetImportAnswerSchema,
    { deadlineMs: 360 * minutes, reach: 'local' },
  ),
  'datasets.remove': method(z.strictObject({ datasetId }), datasetRemovedSchema, { deadlineMs: minutes }),
  'recipes.list': method(nothing, recipesAnswerSchema),
  'recipes.show': method(z.strictObject({ id: z.string().min(1).max(64) }), recipeSchema),
  'recipes.parameters': method(z.strictObject({ recipe: recipeSourceSchema }), recipeParametersSchema),
  'runs.create': method(runRequestSchema, runCreatedSchema, { deadlineMs: 30_000 }),
  'runs.list': method(
    z.strictObject({
      state: runStateSchema.nullable().default(null),
      recipeId: z.string().nullable().default(null),
      limit: z.int().positive().max(200).default(100),
      /** Continue a list after this run. */
      after: runIdSchema.nullable().default(null),
    }),
    runsAnswerSchema,
  ),
  'runs.show': method(z.strictObject({ run }), runDetailsSchema),
  'runs.epochs': method(
    z.strictObject({ run, offset: z.int().nonnegative().default(0), limit: z.int().positive().max(1000).default(1000) }),
    z.strictObject({ epochs: z.array(epochAnswerSchema) }),
  ),
  'runs.resume': method(z.strictObject({ run }), z.strictObject({ run: runSummarySchema, since: z.int().nonnegative() }), {
    deadlineMs: minutes,
  }),
  'runs.pause': method(z.strictObject({ run }), runStateAnswerSchema, { deadlineMs: 10 * minutes }),
  'runs.stop': method(z.strictObject({ run }), runStateAnswerSchema, { deadlineMs: 10 * minutes }),
  'runs.delete': method(z.strictObject({ runs: z.array(run).min(1).max(1000) }), runsDeletedSchema),
  'runs.restore': method(z.strictObject({ runs: z.array(run).min(1).max(1000) }), runsRestoredSchema),
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

export type Handlers = {
  readonly [Name in MethodName]: (input: HandlerInput<Name>, context: CallContext) => Promise<Answer<Name>> | Answer<Name>;
};
