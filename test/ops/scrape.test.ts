import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { prometheusYaml } from '../../scripts/ops/prometheus.ts'
import { readSettings } from '../../scripts/ops/settings.ts'
import { seriesName } from '../../src/metrics/catalogue.ts'
import { OPENMETRICS_TYPE, renderOpenMetrics, renderText, TEXT_TYPE } from '../../src/metrics/exposition.ts'
import { everyFamily } from '../metrics/samples.ts'
import { describeWith, prometheusPresent } from '../support/require.ts'
import { ROOT } from '../support/stores.ts'
import { DASHBOARD_FILES, readDashboard } from './grafana.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'

const TOKEN = 'token-of-the-metrics'
const NAME = 'we "like"\n\\back\\slashes \0 \ud800 😀'
const TRACE_ID = 'ab'.repeat(16)
const SCRAPES = 3

describeWith(
  'prometheus',
  prometheusPresent,
  'a real Prometheus, with the configuration that is made',
  () => {
    let gateway: Server
    let prometheus: Prometheus
    const scrapes = [0, 0]

    /** Two shards that count with every scrape: the first speaks OpenMetrics, the second the older format. */
    function serve({ url, headers }: IncomingMessage, response: ServerResponse): void {
      if (headers.authorization !== `Bearer ${TOKEN}`) return void response.writeHead(401).end()
      if (url === '/metrics/targets') {
        const targets = [headers.host]
        const shards = [0, 1].map((shard) => ({
          targets,
          labels: { __metrics_path__: `/metrics/shard/${shard}` },
        }))
        return void response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(shards))
      }
      const shard = url === '/metrics/shard/0' ? 0 : 1
      scrapes[shard] = (scrapes[shard] ?? 0) + 1
      const snapshot = everyFamily(NAME, scrapes[shard])
      const exemplar = { traceId: TRACE_ID, value: 0.33, atMs: Date.now() }
      const series = seriesName('quality_score_ratio', { mode: '1' })
      response.writeHead(200, { 'content-type': shard === 0 ? OPENMETRICS_TYPE : TEXT_TYPE })
      response.end(shard === 0 ? renderOpenMetrics(snapshot, { [series]: [exemplar] }) : renderText(snapshot))
    }

    beforeAll(async () => {
      gateway = createServer(serve).listen(0, '127.0.0.1')
      await once(gateway, 'listening')
      const address = `127.0.0.1:${(gateway.address() as AddressInfo).port}`
      const settings = readSettings(join(ROOT, 'ops/settings.json'))
      const config = prometheusYaml({ ...settings, gateway: { scheme: 'http', address, scrape: 'shards' } })
        .replaceAll('/run/secrets/', 'DIR/')
        .replace('/etc/prometheus/', 'DIR/')
        .replace('scrape_interval: 15s', 'scrape_interval: 1s')
      prometheus = await startPrometheus(config, {
        'metrics-token': TOKEN,
        'beast.rules.yml': readFileSync(join(ROOT, 'ops/beast.rules.yml'), 'utf8'),
      })
      const seen = `min(count_over_time(beast_requests_received_total[1m])) >= ${SCRAPES} and count(up == 1) == 2`
      await vi.waitFor(async () => expect(await prometheus.query(seen)).toHaveLength(1), {
        timeout: 40_000,
        interval: 200,
      })
    })
    afterAll(async () => {
      await prometheus?.close()
      gateway?.close()
    })

    it('keeps the shards apart, and reads names as they are', async () => {
      const found = await prometheus.query('beast_tenant_requests_total')
      expect(found.map(({ metric }) => metric.tenant)).toEqual(
        Array(2).fill('we "like"\n\\back\\slashes \ufffd \ufffd 😀'),
      )
      expect(new Set(found.map(({ metric }) => metric.instance)).size).toBe(2)
    })

    it('finds the same series in either format', async () => {
      const names = async (shard: number) =>
        (await prometheus.query(`{__name__=~"beast_.*",instance=~".*/metrics/shard/${shard}"}`))
          .map(({ metric: { instance: _, ...labels } }) => JSON.stringify(labels))
          .sort()
      const [first, second] = [await names(0), await names(1)]
      expect(first.length).toBeGreaterThan(100)
      expect(second).toEqual(first)
    })

    it('finds the request behind a count', async () => {
      const nowS = Date.now() / 1000
      const found = (await prometheus.get('/api/v1/query_exemplars', {
        query: 'beast_quality_score_ratio_bucket',
        start: String(nowS - 600),
        end: String(nowS + 600),
      })) as { seriesLabels: { le: string }; exemplars: { labels: { trace_id: string } }[] }[]
      expect(found.map(({ seriesLabels }) => seriesLabels.le)).toEqual(['0.4'])
      expect(found[0]?.exemplars[0]?.labels.trace_id).toBe(TRACE_ID)
    })

    it('has something to draw on every panel', async () => {
      for (const code of Object.keys(DASHBOARD_FILES) as (keyof typeof DASHBOARD_FILES)[]) {
        for (const { title, targets } of readDashboard(code).panels) {
          const query = (targets[0]?.expr ?? '')
            .replaceAll('$__rate_interval', '1m')
            .replaceAll('$__range', '1h')
            .replaceAll('$job', 'beast')
          const found = await prometheus.query(query)
          expect(found.length, title).toBeGreaterThan(0)
          for (const { value } of found) expect(value[1], title).not.toBe('NaN')
        }
      }
    })

    it('has the twelve rules loaded, and can evaluate them', async () => {
      const { groups } = (await prometheus.get('/api/v1/rules')) as {
        groups: readonly { rules: readonly { name: string; health: string }[] }[]
      }
      expect(groups.flatMap(({ rules }) => rules).filter(({ health }) => health === 'err')).toEqual([])
      expect(groups.flatMap(({ rules }) => rules)).toHaveLength(12)
    })
  },
)
