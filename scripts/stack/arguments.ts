import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

/** Every command of the operator has them. */
const COMMON = { url: { type: 'string' }, json: { type: 'boolean' } } as const

/** Says how the command is used, and ends with status 2. */
export function usage(text: string): never {
  console.error(text)
  process.exit(2)
}

/**
 * The command line of an operator's command: words, and these options beside `--url` and `--json`. Where it is none, the
 * program ends with its usage.
 */
export function operatorArguments<Options extends ParseArgsOptionsConfig>(text: string, options: Options) {
  try {
    return parseArgs({ allowPositionals: true, options: { ...options, ...COMMON } })
  } catch {
    return usage(text)
  }
}
