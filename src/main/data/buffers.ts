// The compiler's library for Node does not describe WebAssembly; this is the part used here.
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer };
};

const PAGE_BYTES = 65_536;

/**
 * Zeroed memory whose address is a multiple of 64. TensorFlow uses such a feed in place and copies any other; WebAssembly memory is
 * the only memory of JavaScript with a promised alignment (its pages). Where none can be reserved the buffer is an ordinary one.
 */
export function alignedBuffer(bytes: number): ArrayBuffer {
  const pages = Math.max(1, Math.ceil(bytes / PAGE_BYTES));
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
  } catch {
    return new ArrayBuffer(pages * PAGE_BYTES);
  }
}

/** The next multiple of 64 bytes, where a second buffer inside the same memory may begin. */
export function alignUp(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
