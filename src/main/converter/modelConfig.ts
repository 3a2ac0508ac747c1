// The `model_config` of a whole-model file: JSON that says of which layers the model was made. It is looked at, never built: a layer whose
// code the file would have to bring is refused, and layers that the lab takes weights for must be what the network's layers are.
import { z } from 'zod';
import { LabError } from '../../shared/contract/errors.ts';
import { layerSchema } from '../../shared/contract/layers.ts';

export interface ConfiguredLayer {
  readonly kind: string;
  readonly config: Readonly<Record<string, unknown>>;
}

const models = new Set(['Functional', 'Model', 'Sequential']);
/** Layers that the lab has under another name or needs no weights for. */
const others = [
  'InputLayer',
  'Reshape',
  'ReLU',
  'LeakyReLU',
  'ELU',
  'PReLU',
  'Softmax',
  'Permute',
  'ActivityRegularization',
  'Normalization',
];
const ours = layerSchema.options.flatMap(({ shape: { type } }): string[] =>
  type instanceof z.ZodLiteral ? [...type.values] : [...type.options],
);
const known: ReadonlySet<string> = new Set([...ours, ...others]);
const deepest = 8;

const entrySchema = z.looseObject({ class_name: z.string(), config: z.unknown(), name: z.string().optional() });
const modelSchema = z.looseObject({ layers: z.array(entrySchema) });
const namedSchema = z.looseObject({ name: z.string().optional() });

/** Layers by name, those of models within the model too; throws bad_input for a layer whose class is not on the closed list. */
export function readModelConfig(text: string, fileName: string): ReadonlyMap<string, ConfiguredLayer> {
  const found = new Map<string, ConfiguredLayer>();
  collect(entrySchema.safeParse(parse(text, fileName)).data, found, fileName, 0);
  return found;
}

function parse(text: string, fileName: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LabError('bad_input', `The description of the model in ${fileName} is not JSON.`, {
      expected: 'JSON that Keras wrote',
      received: text.slice(0, 60),
      help: 'Use an undamaged copy of the file, or a file with weights only.',
      cause,
    });
  }
}

function collect(
  entry: z.infer<typeof entrySchema> | undefined,
  found: Map<string, ConfiguredLayer>,
  fileName: string,
  depth: number,
): void {
  if (entry === undefined || depth > deepest) throw unclear(fileName);
  const kind = entry.class_name.replace(/V[12]$/, '');
  const config = namedSchema.safeParse(entry.config).data ?? {};
  const name = config.name ?? entry.name ?? '';
  if (!models.has(kind)) {
    if (!known.has(kind)) throw refuse(kind, name, fileName);
    found.set(name, { kind, config });
    return;
  }
  // Early versions of Keras gave a Sequential model's layers without a name around them.
  const layers = Array.isArray(entry.config)
    ? z.array(entrySchema).safeParse(entry.config).data
    : modelSchema.safeParse(entry.config).data?.layers;
  if (layers === undefined) throw unclear(fileName);
  for (const layer of layers) collect(layer, found, fileName, depth + 1);
}

function unclear(fileName: string): LabError {
  return new LabError('bad_input', `The description of the model in ${fileName} cannot be understood.`, {
    expected: 'a Sequential or Functional model of Keras',
    help: 'Open the model in Keras and write its weights only, with model.save_weights.',
  });
}

function refuse(kind: string, name: string, fileName: string): LabError {
  const isLambda = kind === 'Lambda';
  return new LabError(
    'bad_input',
    isLambda
      ? `The file ${fileName} holds a Lambda layer '${name}', which is program code; the lab never runs code from a file.`
      : `The file ${fileName} holds a layer '${name}' of the class ${kind}, which the lab does not know.`,
    {
      expected: 'layers of Keras that the lab knows',
      received: kind,
      help: "If you trust the file, open it in Keras and write only the base network's weights with save_weights.",
    },
  );
}
