import type { OpDefinition, TensorSpec } from '../graph.ts';
import { define, inputAt, reject } from './definition.ts';
import type { Site } from './definition.ts';
import { describeShape, equalShapes } from './shapes.ts';
import { variableBehind } from './variable.ts';

/** TensorFlow's fused in-place updates: `variables` handles (the weight first, then its slots), then scalars, the gradient at `gradient`. */
export const trainingOps: readonly OpDefinition[] = [
  // var; alpha, delta
  update('ResourceApplyGradientDescent', { variables: 1, numbers: 2, gradient: 2 }),
  // var, accum; lr, grad, momentum
  update('ResourceApplyKerasMomentum', { variables: 2, numbers: 3, gradient: 3 }),
  // var, ms, mom; lr, rho, momentum, epsilon, grad
  update('ResourceApplyRMSProp', { variables: 3, numbers: 5, gradient: 7 }),
  // var, mg, ms, mom; lr, rho, momentum, epsilon, grad
  update('ResourceApplyCenteredRMSProp', { variables: 4, numbers: 5, gradient: 8 }),
  // var, m, v; beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad
  update('ResourceApplyAdam', { variables: 3, numbers: 7, gradient: 9 }),
  // var, m, v, vhat; beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad
  update('ResourceApplyAdamWithAmsgrad', { variables: 4, numbers: 7, gradient: 10 }),
  // var, accum, accum_update; lr, rho, epsilon, grad
  update('ResourceApplyAdadelta', { variables: 3, numbers: 4, gradient: 6 }),
  // var, accum; lr, grad
  update('ResourceApplyAdagrad', { variables: 2, numbers: 2, gradient: 3 }),
  // var, accum; lr, epsilon, grad
  update('ResourceApplyAdagradV2', { variables: 2, numbers: 3, gradient: 4 }),
];

interface UpdateInputs {
  readonly variables: number;
  readonly numbers: number;
  /** Position of the gradient; every other number is a scalar. */
  readonly gradient: number;
}

function update(op: string, layout: UpdateInputs): OpDefinition {
  const handles = Array.from({ length: layout.variables }, () => 'resource' as const);
  const numbers = Array.from({ length: layout.numbers }, () => 'T' as const);
  return define({ op, inputs: [...handles, ...numbers], infer: (site) => checkUpdate(site, layout) });
}

function checkUpdate(site: Site, layout: UpdateInputs): readonly TensorSpec[] {
  const gradient = inputAt(site, layout.gradient);
  for (let index = 0; index < layout.variables; index += 1) {
    const variable = variableBehind(site, index);
    if (variable.dtype !== gradient.dtype || !equalShapes(variable.shape, gradient.shape)) {
      reject(site, 'the gradient does not fit a variable', {
        expected: `${variable.dtype} ${describeShape(variable.shape)}`,
        received: `${gradient.dtype} ${describeShape(gradient.shape)}`,
      });
    }
  }
  for (let index = layout.variables; index < site.inputs.length; index += 1) {
    const { shape } = inputAt(site, index);
    if (index !== layout.gradient && shape.length !== 0) {
      reject(site, `its input ${index} is not one number`, { expected: 'a scalar', received: describeShape(shape) });
    }
  }
  return [];
}
