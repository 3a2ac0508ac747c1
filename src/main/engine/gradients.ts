// Reverse-mode differentiation over the graph: walks from a loss back to the tensors asked for and appends gradient nodes, one rule of
// the op table per node. Visits only nodes that lie between them, so nothing is computed below the lowest trainable layer.
// Does not choose what is trainable (plan.ts) and does not update anything (optimizers.ts).
import { LabError } from '../../shared/contract/errors.ts';
import type { Graph, Node, Tensor } from './graph.ts';
import { scalar } from './ops/emit.ts';
import { describeShape, equalShapes } from './ops/shapes.ts';

/** d loss / d tensor for each tensor, of that tensor's shape and type; zeros where the loss does not depend on it. */
export function gradients(graph: Graph, loss: Tensor, withRespectTo: readonly Tensor[]): readonly Tensor[] {
  const affected = findAffected(graph, withRespectTo);
  const arrived = new Map<Tensor, Tensor[]>();
  const total = (tensor: Tensor): Tensor | null => {
    const parts = arrived.get(tensor);
    const joined = parts === undefined ? null : sumParts(graph, parts);
    if (joined !== null) arrived.set(tensor, [joined]);
    return joined;
  };
  if (affected.has(loss)) arrived.set(loss, [unitGradient(graph, loss)]);
  for (const node of [...graph.nodes].reverse()) {
    const isBetween = node.inputs.some((input) => affected.has(input)) && node.outputs.some((output) => arrived.has(output));
    if (!isBetween) continue;
    const parts = differentiate(graph, node, node.outputs.map(total), affected);
    node.inputs.forEach((input, index) => {
      const part = parts[index] ?? null;
      if (part === null || !affected.has(input)) return;
      checkGradient(node, input, part);
      arrived.set(input, [...(arrived.get(input) ?? []), part]);
    });
  }
  return withRespectTo.map((tensor) => total(tensor) ?? graph.op('ZerosLike', [tensor]));
}

/** Every tensor whose value depends on one of `sources`, the sources included. */
function findAffected(graph: Graph, sources: readonly Tensor[]): ReadonlySet<Tensor> {
  const affected = new Set<Tensor>(sources);
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => affected.has(input))) for (const output of node.outputs) affected.add(output);
  }
  return affected;
}

function sumParts(graph: Graph, parts: readonly Tensor[]): Tensor | null {
  return parts.length > 1 ? graph.op('AddN', parts) : (parts[0] ?? null);
}

function unitGradient(graph: Graph, loss: Tensor): Tensor {
  return loss.shape.length === 0 ? scalar(graph, 1, loss.dtype) : graph.op('OnesLike', [loss]);
}

function differentiate(
  graph: Graph,
  node: Node,
  outputGradients: readonly (Tensor | null)[],
  affected: ReadonlySet<Tensor>,
): readonly (Tensor | null)[] {
  const rule = graph.table.get(node.op)?.gradient;
  if (rule === undefined) {
    throw new LabError('internal', `The op ${node.op} (${node.name}) lies before the loss but has no gradient rule.`, {
      expected: 'an op with a gradient rule on every way from the trainable weights to the loss',
    });
  }
  const isWanted = (index: number): boolean => {
    const input = node.inputs[index];
    return input !== undefined && affected.has(input);
  };
  return rule({ graph, node, outputGradients, isWanted });
}

function checkGradient(node: Node, input: Tensor, gradient: Tensor): void {
  if (gradient.dtype === input.dtype && equalShapes(gradient.shape, input.shape)) return;
  throw new LabError('internal', `The gradient rule of ${node.op} returned the wrong shape or type.`, {
    expected: `${input.dtype} ${describeShape(input.shape)}`,
    received: `${gradient.dtype} ${describeShape(gradient.shape)}`,
  });
}
