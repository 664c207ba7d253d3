import { spawn } from 'node:child_process'

const MARK = '--answered--'

export interface PsqlSession {
  /** Runs one statement. @returns what psql prints */
  run(sql: string): Promise<string>
  close(): Promise<void>
}

/** One psql that stays: a new one for each statement would take longer than the statement. */
export function psqlSession(command: string, args: readonly string[]): PsqlSession {
  const child = spawn(command, ['-qAtX', ...args], { stdio: ['pipe', 'pipe', 'ignore'] })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let printed = ''
  let heard = () => {}
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk
    heard()
  })
  void exited.then(() => heard())
  const answer = async (sql: string): Promise<string> => {
    child.stdin.write(`${sql}\n;\n\\echo ${MARK}:ERROR :LAST_ERROR_MESSAGE\n`)
    for (;;) {
      const [, text, failed, message] = ANSWER.exec(printed) ?? []
      if (text !== undefined) {
        printed = ''
        if (failed === 'true') throw new Error(message)
        return text
      }
      if (child.exitCode !== null) throw new Error('psql has ended')
      await new Promise<void>((resolve) => {
        heard = resolve
      })
    }
  }
  let last: Promise<unknown> = Promise.resolve()
  return {
    run: (sql) => {
      const next = last.then(() => answer(sql))
      last = next.catch(() => {})
      return next
    },
    close: async () => {
      child.stdin.end()
      await exited
    },
  }
}

const ANSWER = new RegExp(`^([^]*)${MARK}(true|false) (.*)\\n$`)
