import type { Notice } from '../alert-notices.ts'
import { isAddress, type Line, type LineIo, post } from './channel.ts'

const SETTING = 'PAGERDUTY_ROUTING_KEY'
const EVENTS_URL = 'https://events.pagerduty.com'

export interface PagerDutySettings {
  readonly routingKey: string | undefined
  /** Where the service region has another address. */
  readonly baseUrl: string | undefined
  /** What this gateway is called. */
  readonly source: string
}

/** Events API v2. An alert's end carries the `dedup_key` of its beginning, and so does every repetition. */
export function pagerDutyLine(io: LineIo, { routingKey, baseUrl, source }: PagerDutySettings): Line {
  if (!routingKey) return { off: `${SETTING} is not set.` }
  const base = baseUrl || EVENTS_URL
  if (!isAddress(base)) return { off: 'PAGERDUTY_BASE_URL is not an https address.' }
  const send = (event_action: 'trigger' | 'resolve', notice: Notice) =>
    post(io, {
      name: 'PagerDuty',
      setting: SETTING,
      url: `${base.replace(/\/+$/, '')}/v2/enqueue`,
      body: {
        routing_key: routingKey,
        event_action,
        dedup_key: `${source} ${notice.id}`,
        ...(event_action === 'trigger' && { payload: payloadOf(source, notice) }),
      },
    })
  return {
    send: async (notice) => {
      if (notice.kind !== 'test') return send(notice.kind === 'resolved' ? 'resolve' : 'trigger', notice)
      const attempt = await send('trigger', notice)
      // Nobody is to be left with an incident that is none.
      return attempt.outcome === 'delivered' ? send('resolve', notice) : attempt
    },
  }
}

const payloadOf = (source: string, { rule, labels, severity, summary, details, atMs }: Notice) => ({
  summary: `${rule}: ${summary}`,
  source,
  severity,
  timestamp: new Date(atMs).toISOString(),
  component: 'gateway',
  class: rule,
  custom_details: { details, ...(labels && { labels }) },
})
