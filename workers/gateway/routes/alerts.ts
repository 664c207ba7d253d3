import { Hono } from 'hono'
import { GatewayError } from '../../../src/core/errors.ts'
import { isObject } from '../../../src/core/json.ts'
import { ALL_RULES } from '../../../src/metrics/alert-notices.ts'
import { CHANNELS, type Channel } from '../../../src/metrics/alert-rules.ts'
import { HUB_NAME } from '../../../src/metrics/shard-name.ts'
import { OPERATOR } from '../../../src/tenants/audit.ts'
import type { AlertOverview } from '../../state/metrics-alerts.ts'
import type { AppEnv } from '../context.ts'
import type { Env } from '../env.ts'
import { readSmallJson } from '../json-body.ts'
import { audited } from '../middleware/audit.ts'
import { operatorOnly } from '../middleware/operator.ts'

const MINUTE_MS = 60_000
/** Nobody remembers a longer silence. */
const MAX_SILENCE_MINUTES = 30 * 24 * 60

/** /api/admin/alerts: how the alerts stand, silences, and a test of a channel. For the operator only. */
export const alerts = new Hono<AppEnv>()
  .use(operatorOnly)
  .get('/', async (c) => c.json(overviewBody(await asked(hubOf(c.env.env).alerts()))))
  .post('/silence', async (c) => {
    const { rule, minutes } = parseSilence(await readSmallJson(c.req.raw))
    const untilMs = Date.now() + minutes * MINUTE_MS
    const until = isoTime(untilMs)
    await audited(c, OPERATOR, { action: 'silence.set', target: rule, after: { until } }, async () => {
      if (!(await asked(hubOf(c.env.env).silence(rule, untilMs)))) throw unknownRule(rule)
    })
    return c.json({ rule, until })
  })
  .delete('/silence/:rule', async (c) => {
    const rule = c.req.param('rule')
    await audited(c, OPERATOR, { action: 'silence.remove', target: rule }, async () => {
      if (!(await asked(hubOf(c.env.env).unsilence(rule)))) throw noSuchSilence()
    })
    return c.json({ rule, until: null })
  })
  .post('/test', async (c) => {
    const channel = parseChannel(await readSmallJson(c.req.raw))
    const { outcome, why } = await asked(hubOf(c.env.env).testAlert(channel))
    return c.json({ channel, outcome, detail: why || null })
  })

const hubOf = ({ METRICS_HUB }: Env) => METRICS_HUB.get(METRICS_HUB.idFromName(HUB_NAME))

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    throw new GatewayError('store_unavailable', 'The hub of the metrics did not answer.', 'Try again.', {
      cause,
      retryAfterSeconds: 5,
    })
  }
}

const isoTime = (ms: number): string => new Date(ms).toISOString()
const isoOrNull = (ms: number | null): string | null => (ms === null ? null : isoTime(ms))

const overviewBody = ({ sentBy, evaluatedMs, alerts, channels, silences }: AlertOverview) => ({
  sent_by: sentBy,
  evaluated_at: isoOrNull(evaluatedMs),
  data: alerts.map(({ forS, sinceMs, firedMs, silencedUntilMs, ...alert }) => ({
    ...alert,
    for_seconds: forS,
    since: isoOrNull(sinceMs),
    fired_at: isoOrNull(firedMs),
    silenced_until: isoOrNull(silencedUntilMs),
  })),
  channels: channels.map(({ noteMs, ...channel }) => ({ ...channel, note_at: isoOrNull(noteMs) })),
  silences: silences.map(({ rule, untilMs }) => ({ rule, until: isoTime(untilMs) })),
})

/** Strict: a silence with a misspelt field would be another one than was meant. */
function parseSilence(body: unknown): { rule: string; minutes: number } {
  const { rule, minutes, ...others } = isObject(body) ? body : {}
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(unknown, `There is no field "${unknown}" here.`, 'Send "rule" and "minutes".')
  if (typeof rule !== 'string' || rule === '')
    throw invalid('rule', 'The field "rule" is missing.', `Send an alert's name, or "${ALL_RULES}".`)
  if (typeof minutes === 'number' && minutes > 0 && minutes <= MAX_SILENCE_MINUTES) return { rule, minutes }
  throw invalid(
    'minutes',
    'The field "minutes" is out of range.',
    `Use a number above 0, at most ${MAX_SILENCE_MINUTES} (30 days).`,
  )
}

function parseChannel(body: unknown): Channel {
  const given = isObject(body) ? body.channel : undefined
  const channel = CHANNELS.find((each) => each === given)
  if (channel) return channel
  throw invalid('channel', 'The field "channel" names no channel.', `Use one of ${CHANNELS.join(', ')}.`)
}

const noSuchSilence = () =>
  new GatewayError(
    'not_found',
    'There is no such silence.',
    'GET /api/admin/alerts lists the silences that are kept.',
  )

const unknownRule = (rule: string) =>
  invalid(
    'rule',
    `There is no alert "${rule}".`,
    `GET /api/admin/alerts lists their names; "${ALL_RULES}" stands for every one.`,
  )

const invalid = (param: string, message: string, tip: string) =>
  new GatewayError('invalid_request', message, tip, { param })
