import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { OperatorError } from '../stack/operator-error.ts'

/** The tool that bundles and uploads. */
export interface Wrangler {
  /** The token of `wrangler login`. @throws OperatorError when nobody is logged in */
  token(): Promise<string>
  /** Bundles as for deployment. @returns a digest of what would be uploaded */
  digest(config: string, outDir: string): Promise<string>
  /** Uploads and deploys. @param secretsFile JSON; secrets that are not in it stay as they are */
  deploy(config: string, tag: string, secretsFile: string | undefined): Promise<void>
  /** Sets the crons, queues and addresses of what is uploaded already. */
  triggers(config: string): Promise<void>
  /** Deploys an earlier version. */
  rollback(accountId: string, worker: string, versionId: string): Promise<void>
}

const WRANGLER = 'node_modules/wrangler/bin/wrangler.js'
const SAID_LINES = 6

/** @param env what it finds in its environment: token, account, and where the API lies */
export function wranglerOf(root: string, env: Readonly<Record<string, string | undefined>>): Wrangler {
  const run = (args: readonly string[]) => runWrangler(root, env, args)
  return {
    token: async () => {
      const answer = JSON.parse(await run(['auth', 'token', '--json']).catch(() => '{}')) as {
        token?: string
      }
      if (answer.token) return answer.token
      throw new OperatorError(
        'Nobody is logged in at Cloudflare. Run npx wrangler login, or set CLOUDFLARE_API_TOKEN.',
      )
    },
    digest: async (config, outDir) => {
      // Modules carry their digest in their name: those of an earlier bundle would stay, and be counted.
      rmSync(outDir, { recursive: true, force: true })
      await run(['deploy', '--dry-run', '-c', config, '--outdir', outDir])
      const text = readFileSync(config, 'utf8')
      const hash = createHash('sha256').update(text)
      const { assets } = JSON.parse(text) as { assets?: { directory: string } }
      for (const folder of [outDir, ...(assets ? [assets.directory] : [])])
        for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
          const path = join(folder, name)
          if (/\.map$|^README/.test(name) || statSync(path).isDirectory()) continue
          hash.update(`\n${name}\n`).update(readFileSync(path))
        }
      return hash.digest('hex').slice(0, 20)
    },
    deploy: async (config, tag, secretsFile) => {
      const secrets = secretsFile === undefined ? [] : ['--secrets-file', secretsFile]
      await run(['deploy', '-c', config, '--tag', tag, ...secrets])
    },
    triggers: async (config) => {
      await run(['triggers', 'deploy', '-c', config])
    },
    rollback: async (accountId, worker, versionId) => {
      const args = ['rollback', versionId, '--name', worker, '--message', 'npm run rollback', '--yes']
      await runWrangler(root, { ...env, CLOUDFLARE_ACCOUNT_ID: accountId }, args)
    },
  }
}

function runWrangler(
  root: string,
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[],
): Promise<string> {
  if (!existsSync(join(root, WRANGLER))) throw new OperatorError('wrangler is not installed. Run: npm ci')
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [join(root, WRANGLER), ...args],
      {
        cwd: root,
        maxBuffer: 32 * 1_024 * 1_024,
        env: {
          ...env,
          CI: '1',
          WRANGLER_SEND_METRICS: 'false',
          DO_NOT_TRACK: '1',
          NO_COLOR: '1',
          FORCE_COLOR: '0',
        },
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        reject(new OperatorError(`wrangler ${args[0]} failed: ${whatItSaid(`${stderr}\n${stdout}`)}`))
      },
    )
  })
}

/** The message without colours, traces and wrangler's words on itself. */
const whatItSaid = (text: string): string =>
  stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.trim())
    .filter(
      (line) =>
        /\w/.test(line) &&
        !/^at |think this is a bug|Logs were written|newer version of Wrangler|Total Upload|wrangler \d/.test(
          line,
        ),
    )
    .slice(0, SAID_LINES)
    .join(' ')
