// Typed view of the TensorFlow protobuf classes that ship inside the tfjs package (dist/proto/api_pb.js has no type declarations).
import { createRequire } from 'node:module';

interface Message {
  serializeBinary(): Uint8Array;
}
interface DimensionMessage extends Message {
  setSize(size: number): void;
}
export interface ShapeMessage extends Message {
  addDim(dimension: DimensionMessage): unknown;
}
export interface TensorMessage extends Message {
  setDtype(dtype: number): void;
  setTensorShape(shape: ShapeMessage): void;
  setTensorContent(content: Uint8Array): void;
}
interface ListMessage extends Message {
  setIList(values: number[]): void;
  setTypeList(values: number[]): void;
}
export interface AttributeMessage extends Message {
  setI(value: number): void;
  setF(value: number): void;
  setB(value: boolean): void;
  setS(value: Uint8Array): void;
  setType(value: number): void;
  setShape(value: ShapeMessage): void;
  setTensor(value: TensorMessage): void;
  setList(value: ListMessage): void;
}
export interface NodeMessage extends Message {
  setName(name: string): void;
  setOp(op: string): void;
  addInput(input: string): unknown;
  getAttrMap(): { set(name: string, value: AttributeMessage): unknown };
}
interface VersionsMessage extends Message {
  setProducer(producer: number): void;
}
interface GraphMessage extends Message {
  setNodeList(nodes: NodeMessage[]): void;
  setVersions(versions: VersionsMessage): void;
}
interface MetaInfoMessage extends Message {
  addTags(tag: string): unknown;
}
export interface TensorInfoMessage extends Message {
  setName(name: string): void;
  setDtype(dtype: number): void;
  setTensorShape(shape: ShapeMessage): void;
}
interface TensorInfoMap {
  set(name: string, info: TensorInfoMessage): unknown;
}
interface SignatureMessage extends Message {
  getInputsMap(): TensorInfoMap;
  getOutputsMap(): TensorInfoMap;
  setMethodName(name: string): void;
}
interface MetaGraphMessage extends Message {
  setMetaInfoDef(info: MetaInfoMessage): void;
  setGraphDef(graph: GraphMessage): void;
  getSignatureDefMap(): { set(name: string, signature: SignatureMessage): unknown };
}
interface SavedModelMessage extends Message {
  setSavedModelSchemaVersion(version: number): void;
  addMetaGraphs(metaGraph: MetaGraphMessage): unknown;
}

export interface TensorFlowMessages {
  readonly TensorShape: (new () => ShapeMessage) & { readonly Dim: new () => DimensionMessage };
  readonly Tensor: new () => TensorMessage;
  readonly AttrValue: (new () => AttributeMessage) & { readonly ListValue: new () => ListMessage };
  readonly NodeDef: new () => NodeMessage;
  readonly GraphDef: new () => GraphMessage;
  readonly VersionDef: new () => VersionsMessage;
  readonly TensorInfo: new () => TensorInfoMessage;
  readonly SignatureDef: new () => SignatureMessage;
  readonly MetaGraphDef: (new () => MetaGraphMessage) & { readonly MetaInfoDef: new () => MetaInfoMessage };
  readonly SavedModel: new () => SavedModelMessage;
}

/** Loads the package's generated classes; they exist once per process. */
export function loadMessages(): TensorFlowMessages {
  const load: (id: string) => TensorFlowMessages = createRequire(import.meta.url);
  return load('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js');
}
