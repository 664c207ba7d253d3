import type { Channel } from '../alert-rules.ts'
import type { Line, LineIo, Lines } from './channel.ts'
import { emailLine } from './email.ts'
import { pagerDutyLine } from './pagerduty.ts'
import { slackLine } from './slack.ts'

/** What the operator sets; all of it is optional, and a channel without its secret is off. */
export interface AlertSettings {
  /** `alertmanager`: it sends, and the gateway does not. Anything else: the gateway sends. */
  readonly ALERTS_BY?: string
  /** What this gateway calls itself. */
  readonly GATEWAY_ID?: string
  /** A secret as a whole. */
  readonly SLACK_WEBHOOK_URL?: string
  readonly PAGERDUTY_ROUTING_KEY?: string
  readonly PAGERDUTY_BASE_URL?: string
  readonly RESEND_API_KEY?: string
  readonly RESEND_BASE_URL?: string
  readonly ALERT_EMAIL_FROM?: string
  readonly ALERT_EMAIL_TO?: string
}

export type Sender = 'gateway' | 'alertmanager'

export const senderOf = ({ ALERTS_BY = '' }: AlertSettings): Sender =>
  ALERTS_BY.trim().toLowerCase() === 'alertmanager' ? 'alertmanager' : 'gateway'

const ELSEWHERE: Line = { off: 'Alertmanager sends the alerts (ALERTS_BY=alertmanager).' }

/** Every channel by which alerts are told. */
export const linesOf = (settings: AlertSettings, io: LineIo): Lines =>
  senderOf(settings) === 'alertmanager'
    ? { slack: ELSEWHERE, pagerduty: ELSEWHERE, email: ELSEWHERE }
    : ownLinesOf(settings, io)

/** Every channel as it is configured, for what only the gateway can tell. */
export function ownLinesOf(settings: AlertSettings, io: LineIo): Lines {
  const source = nameOf(settings.GATEWAY_ID)
  return {
    slack: slackLine(io, settings.SLACK_WEBHOOK_URL),
    pagerduty: pagerDutyLine(io, {
      routingKey: settings.PAGERDUTY_ROUTING_KEY,
      baseUrl: settings.PAGERDUTY_BASE_URL,
      source,
    }),
    email: emailLine(io, {
      apiKey: settings.RESEND_API_KEY,
      baseUrl: settings.RESEND_BASE_URL,
      from: settings.ALERT_EMAIL_FROM,
      to: settings.ALERT_EMAIL_TO,
      source,
    }),
  } satisfies Record<Channel, Line>
}

/** It stands in a header. */
const nameOf = (id: string | undefined): string =>
  id !== undefined && /^[\w.:-]{1,80}$/.test(id) ? id : 'beast-mode-edge'
