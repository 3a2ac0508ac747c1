// Reading weights files of Keras: every layout gives the same weights, and files that do not hold the network are refused in words.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { File, FS, Group, ready } from 'h5wasm';
import { describe, expect, test } from 'vitest';
import { LabError } from '../src/shared/contract/errors.ts';
import { readModelConfig } from '../src/main/converter/modelConfig.ts';
import { isOfficialFile } from '../src/main/converter/officialFiles.ts';
import { decodeTensors } from '../src/main/engine/safetensors.ts';
import { makeFolder } from './lab.ts';
import { alpha, importFile, valuesOf, weightPaths, weightsFile } from './weightsFixture.ts';

async function refusal(path: string, network: 'MobileNet' | 'VGG16' = 'MobileNet', width = alpha): Promise<LabError> {
  const outcome = await importFile(path, network, width).catch((error: unknown) => error);
  if (!(outcome instanceof LabError)) throw new Error(`It was not refused: ${JSON.stringify(outcome)}`);
  expect(outcome.code).toBe('bad_input');
  for (const part of [outcome.expected, outcome.received, outcome.help]) expect(part).toBeTruthy();
  return outcome;
}

/** A copy of a fixture, changed by the HDF5 library. */
async function change(name: string, edit: (file: File) => void): Promise<string> {
  await ready;
  if (FS === null) throw new Error('There is no file system.');
  FS.writeFile('/changed.h5', readFileSync(weightsFile(name)));
  const file = new File('/changed.h5', 'a');
  edit(file);
  file.close();
  const path = join(makeFolder(), name);
  writeFileSync(path, FS.readFile('/changed.h5'));
  return path;
}

function groupOf(file: File, path: string): Group {
  const found = file.get(path);
  if (found instanceof Group) return found;
  throw new Error(`There is no group ${path}.`);
}

async function withoutNames(): Promise<string> {
  return change('base.weights.h5', (file) => {
    for (const layer of groupOf(file, 'layers').keys()) {
      const group = groupOf(file, `layers/${layer}/vars`);
      if ('name' in group.attrs) group.delete_attribute('name');
    }
  });
}

describe('a weights file', () => {
  const counts = { matchedLayers: 54, matchedWeights: 135, parameters: 11_902 };

  test.each([
    ['of keras.applications with its top', 'applications.h5', { unused: ['conv_preds'], matchedBy: 'name' }],
    ['of a whole model', 'whole.h5', { unused: [], matchedBy: 'name' }],
    ['of Keras 3', 'base.weights.h5', { unused: [], matchedBy: 'name' }],
    ['of a model with the base as one layer', 'nested.h5', { unused: ['answer'], matchedBy: 'name' }],
    ['of Keras 3 without names', null, { unused: [], matchedBy: 'order' }],
  ])('%s is matched weight by weight', async (_, name, match) => {
    const path = name === null ? await withoutNames() : weightsFile(name);
    const { report, file } = await importFile(path);
    expect(report.match).toEqual({ ...match, ...counts });
    const { tensors, metadata } = decodeTensors(readFileSync(file), 'weights');
    expect(metadata).toEqual({ network: 'MobileNet', alpha: String(alpha) });
    expect(new Set(tensors.map((tensor) => tensor.name))).toEqual(new Set(weightPaths));
    for (const tensor of tensors) expect(tensor).toEqual({ name: tensor.name, ...valuesOf(tensor.name) });
  });

  test('gives the same fingerprint whichever layout it has, and tells its own', async () => {
    const reports = await Promise.all(['applications.h5', 'whole.h5'].map(async (name) => (await importFile(weightsFile(name))).report));
    expect(new Set(reports.map((report) => report.fingerprint)).size).toBe(1);
    expect(new Set(reports.map((report) => report.fileFingerprint)).size).toBe(2);
    expect(reports.map((report) => report.isOfficial)).toEqual([false, false]);
  });

  test('is official by the checksum that the sources of Keras give it, for its network only', () => {
    expect(isOfficialFile('VGG16', '6d6bbae143d832006294945121d1f1fc')).toBe(true);
    expect(isOfficialFile('VGG19', '6d6bbae143d832006294945121d1f1fc')).toBe(false);
    expect(isOfficialFile('MobileNet', '6d6bbae143d832006294945121d1f1fc')).toBe(false);
  });
});

describe('refused is', () => {
  const bytes = readFileSync(weightsFile('applications.h5'));
  const put = (content: Uint8Array | string): string => {
    const path = join(makeFolder(), 'given.h5');
    writeFileSync(path, content);
    return path;
  };

  test.each([
    ['a file that was cut off', bytes.subarray(0, bytes.length - 2000), /cut off/],
    ['a page instead of a file', '<html>Not found</html>', /not an HDF5 file/],
    ['an archive', 'PK\u0003\u0004 and more', /not an HDF5 file/],
    ['an empty file', '', /not an HDF5 file/],
  ])('%s', async (_, content, message) => {
    expect((await refusal(put(content))).message).toMatch(message);
  });

  test('a file that is not there, and a folder', async () => {
    expect((await importFile('/nowhere/weights.h5').catch((error: unknown) => error)) as LabError).toMatchObject({ code: 'bad_input' });
    expect((await refusal(makeFolder())).message).toMatch(/not a weights file/);
  });

  test('another width, with the one it is', async () => {
    const error = await refusal(weightsFile('whole.h5'), 'MobileNet', 0.5);
    expect(error).toMatchObject({ expected: 'kernel [3,3,3,16]', received: '[3,3,3,1]' });
  });

  test('another network, with the one it is', async () => {
    const error = await refusal(weightsFile('whole.h5'), 'VGG16', 1);
    expect(error.message).toMatch(/no layer of VGG16/);
    expect(error.help).toContain('--network MobileNet');
  });

  test('a file without one of the layers', async () => {
    const path = await change('applications.h5', (file) => {
      file.delete_attribute('layer_names');
      file.create_attribute('layer_names', ['conv1', 'conv1_bn']);
    });
    const error = await refusal(path);
    expect(error.message).toMatch(/does not hold every layer/);
    expect(error.expected).toMatch(/conv_dw_1, .* and 48 more/);
  });

  test('a network with other layers between', async () => {
    const path = await change('applications.h5', (file) => {
      const names = file.attrs['layer_names']?.value as string[];
      file.create_group('squeeze').create_attribute('weight_names', ['kernel']);
      groupOf(file, 'squeeze').create_dataset({ name: 'kernel', data: new Float32Array(4) });
      file.delete_attribute('layer_names');
      file.create_attribute('layer_names', names.toSpliced(20, 0, 'squeeze'));
    });
    expect(await refusal(path)).toMatchObject({ received: 'the layer squeeze' });
  });

  test.each([
    ['numbers that are not finite', Float32Array.of(Number.NaN), /damaged/],
    ['numbers of another type', Float64Array.of(1), /not stored as float32/],
  ])('%s', async (_, data, message) => {
    const path = await change('applications.h5', (file) => {
      const group = groupOf(file, 'conv1_bn');
      group.delete_attribute('weight_names');
      group.create_attribute('weight_names', ['gamma', 'beta', 'moving_mean', 'moving_variance']);
      for (const name of ['gamma', 'beta', 'moving_mean', 'moving_variance']) group.create_dataset({ name, data });
    });
    expect((await refusal(path)).message).toMatch(message);
  });

  test('a link into another file of the machine', async () => {
    const path = await change('applications.h5', (file) => {
      const group = groupOf(file, 'conv1_bn');
      group.delete_attribute('weight_names');
      group.create_attribute('weight_names', ['elsewhere', 'beta']);
      file.create_external_link(weightsFile('whole.h5'), '/model_weights/conv1_bn/conv1_bn/gamma', 'conv1_bn/elsewhere');
    });
    expect((await refusal(path)).expected).toBe('a dataset /conv1_bn/elsewhere');
  });

  test('a model with a Lambda layer, before anything of it is used', async () => {
    const error = await refusal(weightsFile('lambda.h5'));
    expect(error.message).toMatch(/Lambda layer 'divide', which is program code; the lab never runs code/);
  });

  test('a model whose layers compute something else', async () => {
    const path = await change('whole.h5', (file) => {
      const config = file.attrs['model_config']?.value as string;
      file.delete_attribute('model_config');
      file.create_attribute('model_config', config.replaceAll('"epsilon": 0.001', '"epsilon": 0.00001'));
    });
    expect(await refusal(path)).toMatchObject({ expected: 'epsilon 0.001', received: 'epsilon 0.00001' });
  });

  test.each([
    [
      'a class of its own',
      { class_name: 'Functional', config: { layers: [{ class_name: 'MyLayer', config: { name: 'own' } }] } },
      /MyLayer/,
    ],
    [
      'a class within a model',
      { class_name: 'Sequential', config: [{ class_name: 'Model', config: { layers: [{ class_name: 'TFOpLambda', config: {} }] } }] },
      /TFOpLambda/,
    ],
    ['a wrapper', { class_name: 'Sequential', config: { layers: [{ class_name: 'TimeDistributed', config: {} }] } }, /TimeDistributed/],
    ['no model', { class_name: 'Functional', config: 3 }, /cannot be understood/],
  ])('a description with %s', (_, config, message) => {
    expect(() => readModelConfig(JSON.stringify(config), 'a.h5')).toThrow(message);
  });
});
