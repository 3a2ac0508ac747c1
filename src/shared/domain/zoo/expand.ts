// From a recipe's network to its whole layer list: the layers of its base, if it has one, and those that follow.
import type { Base } from '../../contract/base.ts';
import type { Layer } from '../../contract/layers.ts';
import type { Recipe } from '../../contract/schema.ts';
import { cutLayers } from './cut.ts';
import { makeEfficientNetLite0 } from './efficientNetLite0.ts';
import { makeMobileNet } from './mobileNet.ts';
import { makeVgg } from './vgg.ts';

/** Every layer of the network in order; throws LabError bad_recipe when the base cannot be cut where the recipe says. */
export function expandLayers(network: Recipe['network']): readonly Layer[] {
  return network.base === null ? network.layers : [...makeBaseLayers(network.base), ...network.layers];
}

/** The base without its top, cut; each layer has the name that Keras gives it. */
export function makeBaseLayers(base: Base): readonly Layer[] {
  return cutLayers(makeWholeBase(base), base.cutAt);
}

function makeWholeBase({ network, alpha }: Base): readonly Layer[] {
  switch (network) {
    case 'VGG16':
    case 'VGG19':
      return makeVgg(network);
    case 'MobileNet':
      return makeMobileNet(alpha);
    case 'EfficientNetLite0':
      return makeEfficientNetLite0();
  }
}
