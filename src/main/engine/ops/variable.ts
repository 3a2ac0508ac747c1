import { getAttribute } from '../attributes.ts';
import type { OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, reject, spec } from './definition.ts';
import type { Site } from './definition.ts';
import { describeShape, equalShapes } from './shapes.ts';

/** Resource variables: their handle carries type and shape, so reads and assignments are checked while the graph is built. */
export const variableOps: readonly OpDefinition[] = [
  define({ op: 'VarHandleOp', inputs: [], infer: () => spec('resource', []) }),
  define({ op: 'ReadVariableOp', inputs: ['resource'], infer: (site) => [variableBehind(site, 0)] }),
  ...['AssignVariableOp', 'AssignAddVariableOp', 'AssignSubVariableOp'].map((op) =>
    define({ op, inputs: ['resource', 'dtype'], infer: inferAssignment }),
  ),
];

/** Type and shape of the variable that a handle stands for. */
export function variableBehind(site: { readonly op: string; readonly inputs: readonly Tensor[] }, index: number): TensorSpec {
  const { node } = inputAt(site, index);
  if (node.op !== 'VarHandleOp') {
    reject(site, `its input ${index} is not a variable`, { expected: 'the handle of a variable', received: node.op });
  }
  return { dtype: getAttribute(node.attributes, 'dtype', 'type'), shape: getAttribute(node.attributes, 'shape', 'shape') };
}

function inferAssignment(site: Site): readonly TensorSpec[] {
  const variable = variableBehind(site, 0);
  const value = inputAt(site, 1);
  if (value.dtype !== variable.dtype || !equalShapes(value.shape, variable.shape)) {
    reject(site, 'the value does not fit the variable', {
      expected: `${variable.dtype} ${describeShape(variable.shape)}`,
      received: `${value.dtype} ${describeShape(value.shape)}`,
    });
  }
  return [];
}
