// Pickles of protocol 2 as Python 2's cPickle wrote them: text as byte strings, arrays by numpy's _reconstruct. Only what CIFAR-10's files
// hold; opcodes as in Python's Lib/pickletools.py.

/** Unsigned bytes in rows. */
export interface ByteMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly bytes: Buffer;
}

export type Picklable = number | string | readonly Picklable[] | ByteMatrix | { readonly [key: string]: Picklable };

/** cPickle appends list items in groups of this size. */
const GROUP = 1000;

/** The bytes of one pickle; text must be Latin-1. */
export function picklePython2(value: Picklable): Buffer {
  const writer = new PickleWriter();
  writer.save(value);
  return writer.finish();
}

/** Objects are numbered for the memo, as cPickle does, but never referred to: each is written where it stands. */
class PickleWriter {
  readonly #parts: Buffer[] = [Buffer.of(0x80, 2)];
  #memo = 0;

  finish(): Buffer {
    this.#write('.');
    return Buffer.concat(this.#parts);
  }

  save(value: Picklable): void {
    if (typeof value === 'number') this.#write(integer(value));
    else if (typeof value === 'string') this.#text(value);
    else if (isList(value)) this.#list(value);
    else if (isMatrix(value)) this.#matrix(value);
    else this.#dictionary(value);
  }

  #list(items: readonly Picklable[]): void {
    this.#object(']');
    for (let start = 0; start < items.length; start += GROUP) {
      this.#write('(');
      for (const item of items.slice(start, start + GROUP)) this.save(item);
      this.#write('e');
    }
  }

  #dictionary(entries: Readonly<Record<string, Picklable>>): void {
    this.#object('}');
    this.#write('(');
    for (const [key, entry] of Object.entries(entries)) {
      this.#text(key);
      this.save(entry);
    }
    this.#write('u');
  }

  #matrix({ rows, columns, bytes }: ByteMatrix): void {
    this.#object('cnumpy.core.multiarray\n_reconstruct\n');
    this.#object('cnumpy\nndarray\n');
    this.#write(integer(0));
    this.#object('\x85');
    this.#text('b');
    this.#object('\x87');
    this.#object('R');
    this.#write('(', integer(1), integer(rows), integer(columns));
    this.#object('\x86');
    this.#byteType();
    this.#write('\x89');
    this.#bytes(bytes);
    this.#object('t');
    this.#write('b');
  }

  /** numpy's dtype of unsigned bytes. */
  #byteType(): void {
    this.#object('cnumpy\ndtype\n');
    this.#text('u1');
    this.#write(integer(0), integer(1));
    this.#object('\x87');
    this.#object('R');
    this.#write('(', integer(3));
    this.#text('|');
    this.#write('NNN', integer(-1), integer(-1), integer(0));
    this.#object('t');
    this.#write('b');
  }

  #text(text: string): void {
    this.#bytes(Buffer.from(text, 'latin1'));
  }

  #bytes(bytes: Buffer): void {
    this.#write(bytes.length < 256 ? Buffer.of(0x55, bytes.length) : Buffer.concat([Buffer.from('T'), number32(bytes.length)]));
    this.#write(bytes);
    this.#remember();
  }

  #object(opcode: string): void {
    this.#write(opcode);
    this.#remember();
  }

  #remember(): void {
    this.#memo += 1;
    this.#write(this.#memo < 256 ? Buffer.of(0x71, this.#memo) : Buffer.concat([Buffer.from('r'), number32(this.#memo)]));
  }

  #write(...items: (Buffer | string)[]): void {
    for (const item of items) this.#parts.push(typeof item === 'string' ? Buffer.from(item, 'latin1') : item);
  }
}

function integer(value: number): Buffer {
  if (value >= 0 && value < 256) return Buffer.of(0x4b, value);
  if (value >= 0 && value < 65536) return Buffer.of(0x4d, value & 255, value >> 8);
  return Buffer.concat([Buffer.from('J'), number32(value)]);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function isList(value: Picklable): value is readonly Picklable[] {
  return Array.isArray(value);
}

function isMatrix(value: Exclude<Picklable, number | string>): value is ByteMatrix {
  return 'bytes' in value && Buffer.isBuffer(value.bytes);
}
