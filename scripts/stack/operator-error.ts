/** A failure that the person at the keyboard can mend: one line that says what happened and what to do. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError'
}

/** Runs a command-line program: what its user can mend ends in one line and exit code 1, without a stack. */
export async function runCommand(main: () => Promise<void>): Promise<void> {
  try {
    await main()
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    console.error(error.message)
    process.exit(1)
  }
}
