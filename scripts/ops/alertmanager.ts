import { CHANNELS, type Channel } from '../../src/metrics/alert-rules.ts'
import type { Settings } from './settings.ts'
import { type Yaml, yaml } from './yaml.ts'

const TEXT = '{{ range .Alerts }}{{ .Annotations.summary }}. {{ .Annotations.description }}\n{{ end }}'

export function alertmanagerYaml({ email: { smarthost, username, from, to } }: Settings): string {
  const receivers: Readonly<Record<Channel, Yaml>> = {
    slack: {
      name: 'slack',
      slack_configs: [
        {
          api_url_file: '/run/secrets/slack-url',
          send_resolved: true,
          title: '{{ .Status }}: {{ .CommonLabels.alertname }}',
          text: TEXT,
        },
      ],
    },
    pagerduty: {
      name: 'pagerduty',
      pagerduty_configs: [
        {
          routing_key_file: '/run/secrets/pagerduty-key',
          severity: '{{ .CommonLabels.severity }}',
          description: '{{ .CommonLabels.alertname }}: {{ .CommonAnnotations.summary }}',
        },
      ],
    },
    email: { name: 'email', email_configs: [{ to, send_resolved: true, text: TEXT }] },
  }
  return yaml({
    global: {
      smtp_smarthost: smarthost,
      smtp_from: from,
      smtp_auth_username: username,
      smtp_auth_password_file: '/run/secrets/smtp-password',
    },
    route: {
      receiver: 'nobody',
      group_by: ['alertname'],
      group_wait: '30s',
      group_interval: '5m',
      repeat_interval: '4h',
      // An alert goes to every channel that its label names.
      routes: CHANNELS.map((channel) => ({
        receiver: channel,
        matchers: [`route=~".*${channel}.*"`],
        continue: true,
      })),
    },
    receivers: [{ name: 'nobody' }, ...CHANNELS.map((channel) => receivers[channel])],
  })
}
