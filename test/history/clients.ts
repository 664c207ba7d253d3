import { randomUUID } from 'node:crypto'
import type { RecordingStack } from '../support/recording-stack.ts'
import { chat } from '../support/workers.ts'
import type { HistoryEvent } from './checker.ts'

export interface ClientTenant {
  readonly id: string
  readonly key: string
}

export interface ClientsOptions {
  readonly url: string
  readonly tenants: readonly ClientTenant[]
  readonly random: () => number
  readonly history: HistoryEvent[]
}

export interface Clients {
  /** One operation after the other, each in its own time, until `stop`. */
  start(perSecond: number): void
  /** Resolves once the last of them has ended. */
  stop(): Promise<void>
  /** A question that nobody has asked before. */
  ask(tenant: ClientTenant): Promise<void>
}

export async function createTenants({ admin, supabase }: RecordingStack): Promise<ClientTenant[]> {
  const tenants: ClientTenant[] = []
  // The first query of a cold database may take longer than the gateway waits.
  const create = (name: string, tries = 5): Promise<string> =>
    admin.create(name, 'paid').then(
      ({ key }) => key,
      (error) => {
        if (tries === 1) throw error
        return create(name, tries - 1)
      },
    )
  for (const name of ['acme', 'globex', 'initech']) {
    const key = await create(name)
    const [row] = await supabase.sql<{ id: string }>(`select id from tenants where name = '${name}'`)
    tenants.push({ id: row?.id ?? '', key })
  }
  return tenants
}

/** Asked again and again, so that most of them are hits. */
const KNOWN_QUESTIONS = 40
const MAX_UNDER_WAY = 200
/** Acknowledged predictions that are rated: the latest. */
const RATED_AMONG = 500
const RATING_TRIES = 20
const RETRY_MS = 250

/**
 * Callers over HTTP. Each operation carries a name of its own to the table it ends in (a request's id, a rating's
 * tag), and what was acknowledged is noted down.
 */
export function createClients({ url, tenants, random, history }: ClientsOptions): Clients {
  const underWay = new Set<Promise<void>>()
  const answered: { readonly tenant: ClientTenant; readonly predictionId: string }[] = []
  let number = 0
  let timer: NodeJS.Timeout | undefined
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T

  const end = (type: 'fail' | 'info', op: string) => void history.push({ type, op, atMs: Date.now() })
  const acknowledge = (op: string, id: string, durable: boolean) =>
    void history.push({ type: 'ok', op, atMs: Date.now(), id, durable })

  const converse = async (tenant: ClientTenant, question: string, stream: boolean): Promise<void> => {
    const op = `ask-${++number}`
    history.push({ type: 'invoke', op, kind: 'prediction', tenant: tenant.id, atMs: Date.now() })
    const content = question || op
    const body = { model: 'simulated:sim-small', stream, messages: [{ role: 'user', content }] }
    try {
      const response = await chat(url, tenant.key, body, { 'x-request-id': op })
      const predictionId = response.headers.get('x-beast-prediction')
      const isHit = response.headers.get('cache-status')?.includes('; hit') ?? false
      // What has no id has no row: its tenant could not be made out.
      if (predictionId === null) end('fail', op)
      else {
        // What was answered by a model was announced before; all else is gathered in the isolate.
        acknowledge(op, predictionId, response.status === 200 && !isHit)
        answered.push({ tenant, predictionId })
        if (answered.length > RATED_AMONG) answered.shift()
      }
      await response.text().catch(() => 'cut')
    } catch (error) {
      end(neverArrived(error) ? 'fail' : 'info', op)
    }
  }

  const rate = async (): Promise<void> => {
    const { tenant, predictionId } = pick(answered)
    const op = `rate-${++number}`
    const at = { op, tenant: tenant.id, atMs: Date.now(), about: predictionId }
    history.push({ type: 'invoke', kind: 'feedback', ...at })
    // Now and then one that must be refused, and then is not to be found.
    const stars = random() < 0.05 ? 9 : 1 + Math.floor(random() * 5)
    const source = pick(['user', 'bot'])
    const body = { id: randomUUID(), prediction_id: predictionId, source, rating: stars, tags: [op] }
    let arrived = false
    for (let tried = 0; tried < RATING_TRIES; tried++) {
      try {
        const response = await fetch(`${url}/api/feedback`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant.key}` },
          body: JSON.stringify(body),
        })
        arrived = true
        const { id } = (await response.json()) as { id?: string }
        if (response.status === 202 && id) return acknowledge(op, id, true)
        if (response.status === 422) return end('fail', op)
      } catch (error) {
        arrived ||= !neverArrived(error)
      }
      // As its guide tells a caller: again, under the same id.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
    end(arrived ? 'info' : 'fail', op)
  }

  const next = (): Promise<void> => {
    const lot = random()
    if (lot < 0.2 && answered.length > 0) return rate()
    const question = lot < 0.5 ? '' : `question ${Math.floor(random() * KNOWN_QUESTIONS)}`
    return converse(pick(tenants), question, random() < 0.3)
  }
  return {
    start: (perSecond) => {
      timer = setInterval(() => {
        if (underWay.size >= MAX_UNDER_WAY) return
        const operation = next().finally(() => underWay.delete(operation))
        underWay.add(operation)
      }, 1_000 / perSecond)
    },
    stop: async () => {
      clearInterval(timer)
      await Promise.all(underWay)
    },
    ask: (tenant) => converse(tenant, '', false),
  }
}

/** Whether the connection was not even made: then nothing was asked. */
function neverArrived(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
}
