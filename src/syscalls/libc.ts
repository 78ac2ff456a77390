import koffi from 'koffi';

/**
 * libc through koffi. A pointer is a `Uint8Array` over memory that does not move (see `memory.ts`), so passing one
 * allocates nothing. Results follow the kernel's own convention: a negative number is a negated errno.
 */
const libc = koffi.load(null);

interface ArgumentTypes {
  int: number;
  uint32: number;
  int64: number | bigint;
  'void *': Uint8Array | null;
  'const char *': string;
}

type Values<Types extends readonly (keyof ArgumentTypes)[]> = {
  [Index in keyof Types]: ArgumentTypes[Types[Index]];
};

/** Declares a libc function that returns an `int` or a `long` (both arrive as a number). */
export function declare<const Types extends readonly (keyof ArgumentTypes)[]>(
  name: string,
  ...types: Types
): (...values: Values<Types>) => number {
  return libc.func(
    name,
    'int64',
    types.map((type) => (type === 'const char *' ? 'str' : type)),
  );
}

/** As `declare`, for functions whose result register holds 32 bits only. */
export function declareInt<const Types extends readonly (keyof ArgumentTypes)[]>(
  name: string,
  ...types: Types
): (...values: Values<Types>) => number {
  return libc.func(
    name,
    'int',
    types.map((type) => (type === 'const char *' ? 'str' : type)),
  );
}

/** Turns libc's "-1 and errno" into a negated errno. To be called directly around the call: errno does not last. */
export function result(value: number): number {
  return value < 0 ? -koffi.errno() : value;
}

/** The address of memory that does not move. */
export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/** `syscall(2)`. glibc reads all six arguments whatever the call takes, so all of them are always passed. */
export const syscall = declare('syscall', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64');
