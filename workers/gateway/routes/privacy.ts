import { type Context, Hono } from 'hono'
import { utf8 } from '../../../src/core/bytes.ts'
import { GatewayError, toGatewayError } from '../../../src/core/errors.ts'
import { isObject } from '../../../src/core/json.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import { TENANT_NAME, type Tenant } from '../../../src/tenants/tenant.ts'
import type { AppEnv } from '../context.ts'
import { readSmallJson } from '../json-body.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'
import { stored } from '../stored.ts'

/**
 * /api/admin/tenants/{tenant}/export and /erase: all that is kept of a tenant, or of one of its users. For the
 * operator only.
 */
export const privacy = new Hono<AppEnv>()
  .use(operatorOnly)
  .get('/:tenant/export', async (c) => {
    const user = askedUser(c.req.queries())
    const tenant = await tenantOf(c)
    const pages = c.env.services.privacy.export(tenant.id, user)
    const action = user === undefined ? 'privacy.export' : 'privacy.export_user'
    // A store that is down from the start is told as any other error.
    const first = await audited(c, OPERATOR, { action, tenantId: tenant.id }, () => stored(pages.next()))
    return new Response(streamOf(first, pages, c.env.requestId), {
      headers: {
        'content-type': 'application/x-ndjson',
        'content-disposition': `attachment; filename="${tenant.name}.ndjson"`,
        'cache-control': 'no-store',
        'x-request-id': c.env.requestId,
      },
    })
  })
  .post('/:tenant/erase', async (c) => {
    const { confirm, user } = parseErasure(await readSmallJson(c.req.raw))
    const name = c.req.param('tenant')
    if (confirm !== (user ?? name)) throw unconfirmed(user === undefined ? 'tenant' : 'user')
    const { privacy: desk } = c.env.services
    const { id } = await tenantOf(c)
    const action = user === undefined ? 'privacy.erase' : 'privacy.erase_user'
    const { complete, removed } = await audited(c, OPERATOR, { action, tenantId: id }, () =>
      stored(user === undefined ? desk.eraseTenant(id) : desk.eraseUser(id, user)),
    )
    return c.json({ tenant: name, user: user ?? null, complete, removed }, complete ? 200 : 202)
  })

async function tenantOf(c: Context<AppEnv>): Promise<Tenant> {
  const name = c.req.param('tenant') ?? ''
  const tenant = TENANT_NAME.test(name) ? await stored(c.env.services.directory.tenantNamed(name)) : undefined
  if (tenant) return tenant
  throw new GatewayError(
    'not_found',
    'There is no tenant of this name.',
    'Look for the name in npm run keys -- list; of a tenant that was erased nothing is left to find.',
    { param: 'tenant' },
  )
}

/** Strict: a misspelt "user" would hand one user everything of all of them. */
function askedUser({ user, ...others }: Record<string, string[]>): string | undefined {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(unknown, `There is no parameter "${unknown}" here.`, 'Use ?user=NAME, or none.')
  if (user === undefined) return undefined
  if (user.length === 1 && user[0]) return user[0]
  throw invalid('user', 'The parameter "user" must be given once, and not be empty.', 'Use ?user=NAME.')
}

/** Strict for the same reason. */
function parseErasure(body: unknown): { confirm: unknown; user: string | undefined } {
  const { confirm, user, ...others } = isObject(body) ? body : {}
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(unknown, `There is no field "${unknown}" here.`, 'Send "confirm", and "user" to erase one.')
  if (user === undefined || (typeof user === 'string' && user !== '')) return { confirm, user }
  throw invalid('user', 'The field "user" must be a text, and not be empty.', "Send the user's name.")
}

const unconfirmed = (what: 'tenant' | 'user') =>
  invalid(
    'confirm',
    `The field "confirm" does not repeat the name of the ${what} that is to be erased.`,
    `Send the ${what}'s name as "confirm"; what is erased cannot be brought back.`,
  )

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param })

/** A page at a time, when the reader wants it. One that cannot be read ends the stream in an error, without a last line. */
function streamOf(
  first: IteratorResult<string, void>,
  pages: AsyncGenerator<string, void>,
  requestId: string,
): ReadableStream<Uint8Array> {
  let next: Promise<IteratorResult<string, void>> | undefined = Promise.resolve(first)
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await (next ?? stored(pages.next()))
        next = undefined
        if (done) controller.close()
        else controller.enqueue(utf8(value))
      } catch (thrown) {
        controller.enqueue(utf8(`${JSON.stringify(toGatewayError(thrown).toBody(requestId))}\n`))
        controller.close()
      }
    },
    cancel: async () => void (await pages.return()),
  })
}
