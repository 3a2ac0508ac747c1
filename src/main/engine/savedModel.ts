// Graph -> bytes of saved_model.pb (one meta graph, tag "serve", no variables folder): what the binding's loadSavedModel reads.
// Knows protobuf fields and TensorFlow's type numbers; does not know what the graph computes.
import type { Attribute, DataType, Graph, Node, Shape, Tensor } from './graph.ts';
import type { AttributeMessage, NodeMessage, ShapeMessage, TensorFlowMessages, TensorInfoMessage } from './protobuf.ts';

/** GraphDef producer version: TF_GRAPH_DEF_VERSION of TensorFlow 2.21 accepts any producer from 21 on; ours uses no older semantics. */
const producerVersion = 1882;

/** tensorflow/core/framework/types.proto. */
const typeNumbers: Readonly<Record<DataType, number>> = {
  float32: 1,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  uint16: 17,
  float16: 19,
  resource: 20,
};

/** TensorFlow's number of a data type, as the binding's createTensor wants it. */
export function typeNumber(dtype: DataType): number {
  return typeNumbers[dtype];
}

/** What a program that loads the model calls: its inputs and outputs by name. */
export interface Signature {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Serialises a graph; names and order of nodes are kept, so equal graphs give equal bytes. The signature is `serving_default`. */
export function writeSavedModel(graph: Graph, messages: TensorFlowMessages, signature?: Signature): Uint8Array {
  const graphMessage = new messages.GraphDef();
  graphMessage.setNodeList(graph.nodes.map((node) => writeNode(node, messages)));
  const versions = new messages.VersionDef();
  versions.setProducer(producerVersion);
  graphMessage.setVersions(versions);
  const info = new messages.MetaGraphDef.MetaInfoDef();
  info.addTags('serve');
  const metaGraph = new messages.MetaGraphDef();
  metaGraph.setMetaInfoDef(info);
  metaGraph.setGraphDef(graphMessage);
  if (signature !== undefined) {
    const signatureMessage = new messages.SignatureDef();
    const [inputs, outputs] = [signatureMessage.getInputsMap(), signatureMessage.getOutputsMap()];
    for (const [name, tensor] of Object.entries(signature.inputs)) inputs.set(name, writeTensorInfo(tensor, messages));
    for (const [name, tensor] of Object.entries(signature.outputs)) outputs.set(name, writeTensorInfo(tensor, messages));
    signatureMessage.setMethodName('tensorflow/serving/predict');
    metaGraph.getSignatureDefMap().set('serving_default', signatureMessage);
  }
  const savedModel = new messages.SavedModel();
  savedModel.setSavedModelSchemaVersion(1);
  savedModel.addMetaGraphs(metaGraph);
  return savedModel.serializeBinary();
}

function writeTensorInfo({ node, index, dtype, shape }: Tensor, messages: TensorFlowMessages): TensorInfoMessage {
  const info = new messages.TensorInfo();
  info.setName(`${node.name}:${index}`);
  info.setDtype(typeNumber(dtype));
  info.setTensorShape(writeShape(shape, messages));
  return info;
}

function writeNode(node: Node, messages: TensorFlowMessages): NodeMessage {
  const message = new messages.NodeDef();
  message.setName(node.name);
  message.setOp(node.op);
  for (const input of node.inputs) message.addInput(input.index === 0 ? input.node.name : `${input.node.name}:${input.index}`);
  for (const control of node.controls) message.addInput(`^${control.name}`);
  const attributes = message.getAttrMap();
  for (const [name, attribute] of Object.entries(node.attributes)) attributes.set(name, writeAttribute(attribute, messages));
  return message;
}

function writeAttribute(attribute: Attribute, messages: TensorFlowMessages): AttributeMessage {
  const message = new messages.AttrValue();
  switch (attribute.kind) {
    case 'int':
      message.setI(attribute.value);
      break;
    case 'float':
      message.setF(attribute.value);
      break;
    case 'bool':
      message.setB(attribute.value);
      break;
    case 'string':
      message.setS(new TextEncoder().encode(attribute.value));
      break;
    case 'type':
      message.setType(typeNumber(attribute.value));
      break;
    case 'shape':
      message.setShape(writeShape(attribute.value, messages));
      break;
    case 'ints':
    case 'types': {
      const list = new messages.AttrValue.ListValue();
      if (attribute.kind === 'ints') list.setIList([...attribute.value]);
      else list.setTypeList(attribute.value.map(typeNumber));
      message.setList(list);
      break;
    }
    case 'tensor': {
      const tensor = new messages.Tensor();
      tensor.setDtype(typeNumber(attribute.dtype));
      tensor.setTensorShape(writeShape(attribute.shape, messages));
      tensor.setTensorContent(new Uint8Array(attribute.data.buffer, attribute.data.byteOffset, attribute.data.byteLength));
      message.setTensor(tensor);
      break;
    }
  }
  return message;
}

function writeShape(shape: Shape, messages: TensorFlowMessages): ShapeMessage {
  const message = new messages.TensorShape();
  for (const size of shape) {
    const dimension = new messages.TensorShape.Dim();
    dimension.setSize(size ?? -1);
    message.addDim(dimension);
  }
  return message;
}
