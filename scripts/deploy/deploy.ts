import { OperatorError } from '../stack/operator-error.ts'
import { type DeployOptions, openSite, type Site } from './site.ts'
import { remarks, STEPS } from './steps.ts'

const CHECK = 'accounts, project, tokens and names are in order'

/** The steps as they would be taken; asks nobody. */
export const planOf = (migrations: readonly { readonly version: string; readonly name: string }[]): string =>
  [CHECK, ...STEPS.map(({ name }) => name)]
    .flatMap((name, index) => [
      `${String(index + 1).padStart(2)}. ${name}`,
      ...(name.startsWith('migrations')
        ? migrations.map((each) => `      ${each.version}_${each.name}`)
        : []),
    ])
    .join('\n')

/**
 * Takes every step that is not done yet. Run again after a failure it goes on where it stopped.
 * @throws OperatorError that says what was done, what was not, and how to go on
 */
export async function deploy(options: DeployOptions): Promise<void> {
  const names = [CHECK, ...STEPS.map(({ name }) => name)]
  const { print } = options
  let done = 0
  try {
    const site = await openSite(options)
    print(`ok  ${CHECK}: ${site.cloudflare.name}, ${site.supabase.ref}, ${site.gatewayUrl}`)
    done++
    for (const step of STEPS) {
      if (await step.isDone(site)) print(`ok  ${step.name}`)
      else {
        print(`..  ${step.name}`)
        await step.run(site)
        print(`ok  ${step.name}: done`)
      }
      done++
    }
    await finish(site)
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    throw new OperatorError(
      [
        error.message,
        `Done: ${names.slice(0, done).join('; ') || 'nothing'}.`,
        `Not done: ${names.slice(done).join('; ') || 'nothing'}.`,
        'Mend it and run npm run deploy again: it goes on from there.',
      ].join('\n'),
    )
  }
}

async function finish(site: Site): Promise<void> {
  for (const remark of await remarks(site)) site.print(`note: ${remark}`)
  site.print(`
The gateway answers at ${site.gatewayUrl}. A key for a team, with OPERATOR_TOKEN of ${site.secretsFile}:
  BEAST_URL=${site.gatewayUrl} BEAST_OPERATOR_TOKEN=... npm run keys -- create --tenant NAME --plan paid`)
}
