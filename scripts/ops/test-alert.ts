import type { Channel } from '../../src/metrics/alert-rules.ts'
import { operatorClient } from '../stack/operator.ts'
import { OperatorError } from '../stack/operator-error.ts'

interface Answer {
  readonly channel: Channel
  readonly outcome: 'delivered' | 'refused' | 'failed' | 'off'
  readonly detail: string | null
}

const TOOK: Readonly<Record<Channel, string>> = {
  slack: 'Slack took the test alert: it stands in the channel of the webhook.',
  pagerduty: 'PagerDuty took the test alert and its end: look for an incident that is resolved already.',
  email: 'The mail service took the test alert: look into the mailbox.',
}

/** Has the running gateway send a test alert. @returns what to say; throws where nothing was delivered */
export async function testAlert(channel: Channel, url: string | undefined): Promise<string> {
  const { outcome, detail } = await operatorClient(url).request<Answer>('POST', '/api/admin/alerts/test', {
    channel,
  })
  if (outcome === 'delivered') return TOOK[channel]
  if (outcome === 'off')
    throw new OperatorError(
      `Nothing was sent: the channel ${channel} is off. ${detail} docs/alerts.md says how.`,
    )
  throw new OperatorError(`Not delivered. ${detail}`)
}
