import { AdminClient } from '../stack/admin-client.ts'
import { OperatorError } from '../stack/operator-error.ts'

const TENANT = 'deploy-check'
const TRIES = 20
const WAIT_MS = 3_000
const TIMEOUT_MS = 20_000

export interface SmokeOptions {
  readonly url: string
  readonly operatorToken: string
  /** Whether a provider is configured, so that there is a model to name. */
  readonly hasModels: boolean
  readonly wait: (ms: number) => Promise<void>
}

/**
 * Asks the deployed gateway what costs nothing: whether it lives, whether it is ready, and with a key of its own for a
 * stored answer only, which goes through key directory, cache and stores but to no provider.
 * @returns a line on each
 * @throws OperatorError with what went wrong and where to look
 */
export async function smokeTest({
  url,
  operatorToken,
  hasModels,
  wait,
}: SmokeOptions): Promise<readonly string[]> {
  // A new address takes a while to be known everywhere, and so do a new version's secrets.
  await until(
    () => answers(`${url}/healthz`),
    wait,
    `${url}/healthz does not answer. Look at: npx wrangler tail`,
  )
  const ready = await until(
    () => answers(`${url}/readyz`, operatorToken),
    wait,
    `${url}/readyz says that the gateway is not ready. Check SUPABASE_URL and SUPABASE_SECRET_KEY, and look at: npx wrangler tail`,
  )
  const { stores } = (await ready.json()) as { stores?: Readonly<Record<string, string>> }
  if (!stores)
    throw new OperatorError(
      "The gateway does not take the operator's token that is known here. Set OPERATOR_TOKEN to the one it has.",
    )
  const admin = new AdminClient(url, operatorToken)
  // One that an interrupted run left would stay for good.
  for (const key of await admin.list(TENANT)) if (key.revoked_at === null) await admin.revoke(key.id)
  const { id, key } = await admin.create(TENANT, 'paid', 1)
  try {
    await askForStored(url, key, hasModels)
  } finally {
    await admin.revoke(id)
  }
  const states = Object.entries(stores).map(([store, state]) => `${store} ${state}`)
  return [`ready: ${states.join(', ')}`, 'a key was made, used once without cost, and revoked']
}

async function askForStored(url: string, key: string, hasModels: boolean): Promise<void> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'cache-control': 'only-if-cached',
    },
    body: JSON.stringify({ model: 'auto', messages: [{ role: 'user', content: 'Are you there?' }] }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const { error } = (await response.json().catch(() => ({}))) as {
    error?: { code?: string; message?: string; tip?: string }
  }
  if (response.ok || error?.code === 'not_cached') return
  // The key was known, and that is what can be tried.
  if (!hasModels && error?.code === 'model_not_found') return
  throw new OperatorError(
    `The gateway does not answer a request with a key: ${error?.message ?? `HTTP ${response.status}`} ${error?.tip ?? ''}`.trim(),
  )
}

async function answers(url: string, token?: string): Promise<Response | undefined> {
  try {
    const response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return response.ok ? response : undefined
  } catch {
    return undefined
  }
}

async function until<T>(
  ask: () => Promise<T | undefined>,
  wait: (ms: number) => Promise<void>,
  otherwise: string,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (tries === TRIES) throw new OperatorError(otherwise)
    await wait(WAIT_MS)
  }
}
