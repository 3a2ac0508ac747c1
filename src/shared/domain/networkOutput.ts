import { formatShape } from './networkRules.ts';
import type { NetworkProblem, ResolvedNetwork } from './networkTypes.ts';

/** A classifier must end in one vector with a value per class; the answer names the missing Flatten or Dense. */
export function findOutputProblem(network: ResolvedNetwork, classCount: number): NetworkProblem | null {
  const last = network.layers.at(-1);
  if (last === undefined) {
    return { layer: network.output, message: 'The network has no layers.', fix: 'Add Flatten and Dense.' };
  }
  const shape = last.outputShape;
  if (shape.length !== 1) return describePicture(network, classCount);
  if (shape[0] === classCount) return null;
  const dense = network.layers.findLast((layer) => layer.config.type === 'Dense');
  const isDenseLast = dense !== undefined && dense.outputShape.length === 1 && dense.outputShape[0] === shape[0];
  const ending = dense === undefined ? 'there is no Dense layer' : `'${last.name}' gives ${formatShape(shape)}`;
  return {
    layer: isDenseLast ? dense.name : last.name,
    message: `The network ends with ${String(shape[0])} values, but there are ${classCount} classes: ${ending}.`,
    fix: isDenseLast
      ? `Set units of '${dense.name}' to ${classCount}.`
      : `Add Dense with ${classCount} units and activation softmax after '${last.name}'.`,
  };
}

function describePicture(network: ResolvedNetwork, classCount: number): NetworkProblem | null {
  const last = network.layers.at(-1);
  if (last === undefined) return null;
  const opening = `The network ends with ${formatShape(last.outputShape)}, but ${classCount} classes need one vector [${classCount}]`;
  const unflattened = network.layers.find((layer) => layer.config.type === 'Dense' && layer.outputShape.length > 1);
  if (unflattened !== undefined) {
    return {
      layer: unflattened.name,
      message: `${opening}: the Flatten layer before '${unflattened.name}' is missing.`,
      fix: `Add Flatten before '${unflattened.name}'.`,
    };
  }
  return {
    layer: last.name,
    message: `${opening}: the Flatten and Dense layers are missing.`,
    fix: `Add Flatten and then Dense with ${classCount} units and activation softmax after '${last.name}'.`,
  };
}
