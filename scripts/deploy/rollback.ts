import { OperatorError } from '../stack/operator-error.ts'
import type { CloudflareAccount, Version } from './cloudflare.ts'
import { STATE, WORKERS } from './configs.ts'
import type { Wrangler } from './wrangler.ts'

export interface RollbackOptions {
  readonly cloudflare: Pick<CloudflareAccount, 'id' | 'deployed' | 'versions'>
  readonly wrangler: Pick<Wrangler, 'rollback'>
  readonly print: (line: string) => void
}

/** In the reverse order of deployment. */
const ORDER = WORKERS.map(({ name }) => name).reverse()
export const MIGRATIONS_STAY =
  'Migrations are not rolled back, and need not be: they only add, so the workers of before find all that they knew.'

/** What a rollback does; asks nobody. */
export const rollbackPlan = (): string =>
  [
    ...ORDER.map((name, index) => `${index + 1}. ${name} goes back to the release before`),
    MIGRATIONS_STAY,
  ].join('\n')

/**
 * Puts each worker back to the release before the one that beast-state is of. That worker goes last, so that a run
 * that was interrupted is completed by another.
 * @throws OperatorError that names those that are back and those that are not
 */
export async function rollBack({ cloudflare, wrangler, print }: RollbackOptions): Promise<void> {
  const release = await releaseBefore(cloudflare)
  let at = 0
  try {
    for (const name of ORDER) {
      if ((await cloudflare.deployed(name))?.tag !== release) {
        const version = (await cloudflare.versions(name)).find(({ tag }) => tag === release)
        if (!version) throw new OperatorError(`${name} has no version of release ${release} any more.`)
        await wrangler.rollback(cloudflare.id, name, version.id)
      }
      print(`ok  ${name}: release ${release}`)
      at++
    }
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    throw new OperatorError(
      `${error.message}\nBack: ${ORDER.slice(0, at).join(', ') || 'none'}. Not back: ${ORDER.slice(at).join(', ')}. Mend it and run npm run rollback again.`,
    )
  }
  print(MIGRATIONS_STAY)
}

async function releaseBefore(cloudflare: RollbackOptions['cloudflare']): Promise<string> {
  const [current, versions] = [await cloudflare.deployed(STATE), await cloudflare.versions(STATE)]
  if (!current) throw new OperatorError('Nothing is deployed in this account. Run: npm run deploy')
  const older: readonly Version[] = versions.slice(versions.findIndex(({ id }) => id === current.id) + 1)
  const release = older.find(({ tag }) => tag !== undefined && tag !== current.tag)?.tag
  if (release === undefined)
    throw new OperatorError('There is no release before this one. Nothing was changed.')
  return release
}
