// The blocks that people speak of in a published network: its layers in groups, from the stem to the last one. A cut base has those that
// are left, the last perhaps in part.
import type { Base } from '../../contract/base.ts';
import { LabError } from '../../contract/errors.ts';
import { makeBaseLayers } from './expand.ts';

export interface Block {
  readonly name: string;
  readonly firstLayer: string;
  readonly lastLayer: string;
}

/** Blocks of the base in order; together they hold each of its layers once. Throws LabError bad_recipe as makeBaseLayers. */
export function listBlocks(base: Base): readonly Block[] {
  const blocks: Block[] = [];
  for (const { name = '' } of makeBaseLayers(base)) {
    const block = nameBlock(base.network, name);
    const last = blocks.at(-1);
    if (last?.name === block) blocks[blocks.length - 1] = { ...last, lastLayer: name };
    else blocks.push({ name: block, firstLayer: name, lastLayer: name });
  }
  return blocks;
}

function nameBlock(network: Base['network'], layer: string): string {
  const found = patterns[network].exec(layer)?.[1];
  switch (network) {
    case 'VGG16':
    case 'VGG19':
    case 'EfficientNetLite0':
      if (found !== undefined) return found;
      break;
    case 'MobileNet':
      if (found !== undefined) return `block${found}`;
      if (layer.startsWith('conv1')) return 'stem';
      break;
  }
  throw new LabError('internal', `The layer ${layer} of ${network} belongs to no block.`);
}

const patterns: Readonly<Record<Base['network'], RegExp>> = {
  VGG16: /^(block\d)_/,
  VGG19: /^(block\d)_/,
  MobileNet: /^conv_(?:pad|dw|pw)_(\d+)/,
  EfficientNetLite0: /^(stem|top|block\d[a-z])_/,
};
