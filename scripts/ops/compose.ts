import { yaml } from './yaml.ts'

const SECRETS = ['metrics-token', 'slack-url', 'pagerduty-key', 'smtp-password', 'grafana-password'] as const

/** On the host's own network, bound to loopback: so they also reach a gateway that listens there only. */
export const composeYaml = (): string =>
  yaml({
    name: 'beast-ops',
    services: {
      prometheus: {
        image: 'prom/prometheus:v2.53.1',
        network_mode: 'host',
        restart: 'unless-stopped',
        command: [
          '--config.file=/etc/prometheus/prometheus.yml',
          '--storage.tsdb.path=/prometheus',
          '--enable-feature=exemplar-storage',
          '--web.listen-address=127.0.0.1:9090',
        ],
        volumes: [
          './prometheus.yml:/etc/prometheus/prometheus.yml:ro',
          './beast.rules.yml:/etc/prometheus/beast.rules.yml:ro',
          'prometheus:/prometheus',
        ],
        secrets: ['metrics-token'],
      },
      alertmanager: {
        image: 'prom/alertmanager:v0.27.0',
        network_mode: 'host',
        restart: 'unless-stopped',
        command: [
          '--config.file=/etc/alertmanager/alertmanager.yml',
          '--storage.path=/alertmanager',
          '--web.listen-address=127.0.0.1:9093',
          '--cluster.listen-address=',
        ],
        volumes: ['./alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro', 'alertmanager:/alertmanager'],
        secrets: ['slack-url', 'pagerduty-key', 'smtp-password'],
      },
      grafana: {
        image: 'grafana/grafana:11.2.0',
        network_mode: 'host',
        restart: 'unless-stopped',
        environment: {
          GF_SERVER_HTTP_ADDR: '127.0.0.1',
          GF_SECURITY_ADMIN_PASSWORD__FILE: '/run/secrets/grafana-password',
          GF_ANALYTICS_REPORTING_ENABLED: 'false',
        },
        volumes: [
          './grafana:/etc/grafana/provisioning:ro',
          './dashboards:/etc/grafana/dashboards:ro',
          'grafana:/var/lib/grafana',
        ],
        secrets: ['grafana-password'],
      },
    },
    volumes: { prometheus: {}, alertmanager: {}, grafana: {} },
    secrets: Object.fromEntries(SECRETS.map((name) => [name, { file: `./secrets/${name}` }])),
  })
