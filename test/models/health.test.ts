import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { Catalogue } from '../../src/models/catalogue.ts'
import { HealthBook } from '../../src/models/health.ts'
import type { Endpoint, Provider } from '../../src/models/provider.ts'
import { targetsOf } from '../../src/routing/balance.ts'
import { choose, wish } from '../../src/routing/plan.ts'
import { NOTHING_OFF } from '../../src/switches/switch.ts'
import { model } from '../selection/models.ts'
import { tenant } from '../support/slots.ts'

const NOW_MS = 1_800_000_000_000

describe('the share of calls that succeed', () => {
  const targets = targetsOf(model('openai:m').route)
  const [target] = targets
  if (!target) throw new Error('a route has a target')

  it('is not kept of what never failed', () => {
    const health = new HealthBook()
    for (let i = 0; i < 10; i++) health.succeeded(target)
    expect(health.successShare(targets)).toBeUndefined()
  })

  it('falls with each failure, rises with each success, and is forgotten once it is as good as whole', () => {
    const health = new HealthBook()
    const shares: (number | undefined)[] = []
    const note = () => shares.push(health.successShare(targets))
    for (let i = 0; i < 2; i++) {
      health.failed(target, 'failed', NOW_MS)
      note()
    }
    health.succeeded(target)
    note()
    expect(shares.map((share) => share?.toFixed(3))).toEqual(['0.800', '0.640', '0.712'])
    for (let i = 0; i < 20; i++) health.succeeded(target)
    expect(health.successShare(targets)).toBeUndefined()
  })

  it('says nothing of requests that no model could have served', () => {
    const health = new HealthBook()
    for (const kind of [
      'rejected',
      'context_too_long',
      'too_large',
      'content_filtered',
      'unsupported',
    ] as const)
      health.failed(target, kind, NOW_MS)
    expect(health.successShare(targets)).toBeUndefined()
    health.failed(target, 'rate_limited', NOW_MS)
    expect(health.successShare(targets)).toBeCloseTo(0.8)
  })

  it('is weighed over the endpoints of a route, and is that of no other route', () => {
    const health = new HealthBook()
    const { route } = model('openai:m')
    const [first] = route.provider.endpoints
    const second: Endpoint = { ...first, id: 'openai#2', weight: 3 }
    const both = targetsOf({ ...route, provider: { ...route.provider, endpoints: [first, second] } })
    if (both[1]) health.failed(both[1], 'failed', NOW_MS)
    expect(health.successShare(both)).toBeCloseTo((1 + 3 * 0.8) / 4)
    expect(health.successShare(targetsOf(model('openai:other').route))).toBeUndefined()
  })
})

describe('between two equally fast models', () => {
  const provider = (name: string): Provider => ({
    name,
    format: 'openai',
    endpoints: [
      { id: name, baseUrl: `https://${name}.test/v1`, host: undefined, weight: 1, isForeign: false },
    ],
    models: ['m'],
    plans: ['paid'],
    revision: '1',
  })

  it('the one that fails now and then is asked second', async () => {
    const clock = { now: () => NOW_MS, after: () => () => {} }
    const health = new HealthBook()
    const catalogue = new Catalogue({
      clock,
      providers: [provider('steady'), provider('flaky')],
      list: async () => [],
      registry: { of: async () => ({ models: [], aliases: [], providerKeys: [], known: true }) },
    })
    const services = { clock, catalogue, health, random: seededRandom(7), switches: { off: NOTHING_OFF } }
    const acme = tenant('acme')
    const first = async () => {
      const wished = await wish(services, acme, 'auto', () => {})
      const request = { model: 'auto', messages: [{ role: 'user', content: 'hello' }] }
      return choose(services, acme, wished, request).targets[0]?.route.id
    }
    for (const { route } of (await catalogue.of(acme.id, () => {})).models)
      for (const target of targetsOf(route)) health.observeLatency(target, 100)
    const before = new Set<string | undefined>()
    for (let i = 0; i < 50; i++) before.add(await first())
    expect([...before].toSorted()).toEqual(['flaky:m', 'steady:m'])
    const { models } = await catalogue.of(acme.id, () => {})
    const flaky = models.find(({ route }) => route.id === 'flaky:m')
    const [target] = flaky ? targetsOf(flaky.route) : []
    if (target) health.failed(target, 'failed', NOW_MS)
    for (let i = 0; i < 50; i++) expect(await first()).toBe('steady:m')
  })
})
