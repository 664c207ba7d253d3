import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import type { AppEnv } from '../context.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'

/** As many ids as fit into one address. */
const MAX_LETTERS = 100

/** /api/admin/dead-letters: what no table took, and another try at it. For the operator only. */
export const deadLetters = new Hono<AppEnv>()
  .use(operatorOnly)
  .get('/', async (c) =>
    c.json({ data: await stored(c.env.services.deadLetters.list(pageOf(c.req.query()))) }),
  )
  .post('/replay', async (c) => {
    const page = pageOf(c.req.query())
    return c.json(
      await audited(c, OPERATOR, { action: 'dead_letters.retry', after: { ...page } }, () =>
        stored(c.env.services.deadLetters.replay(page)),
      ),
    )
  })

const pageOf = ({ limit, skip }: Record<string, string>) => ({
  limit: whole('limit', limit, MAX_LETTERS, 1, MAX_LETTERS),
  skip: whole('skip', skip, 0, 0, 1_000_000),
})

function whole(name: string, text: string | undefined, fallback: number, min: number, max: number): number {
  const value = text === undefined ? fallback : Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new GatewayError(
    'invalid_request',
    `The parameter "${name}" is out of range.`,
    `Use a whole number from ${min} to ${max}.`,
    { param: name },
  )
}
