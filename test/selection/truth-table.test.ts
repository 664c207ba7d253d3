import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import type { Capabilities, Model } from '../../src/models/model.ts'
import { noModel } from '../../src/selection/no-model.ts'
import { select } from '../../src/selection/select.ts'
import { wantedModels } from '../../src/selection/wanted.ts'
import type { Plan } from '../../src/tenants/tenant.ts'
import { ROOT } from '../support/stores.ts'
import { context, model, NEEDS } from './models.ts'

type Access = readonly [rank: number, reason: string] | string
interface Table {
  readonly access: Readonly<Record<string, Readonly<Record<Plan, Access>>>>
  readonly out: readonly {
    readonly reason: string
    readonly access?: string
    readonly active?: boolean
    readonly on?: boolean
    readonly healthy?: boolean
    readonly needs?: Ability
    readonly lacks?: Ability
  }[]
  readonly errors: readonly {
    readonly any: string | null
    readonly code: string
    readonly status: number
    readonly param?: string
    readonly retry?: boolean
  }[]
  readonly named: readonly (readonly string[])[]
}
const table: Table = JSON.parse(
  readFileSync(join(ROOT, 'test/fixtures/selection/truth-table.json'), 'utf8'),
) as Table

const CASES = 10_000
const ABILITIES = ['tools', 'vision', 'json', 'context'] as const
type Ability = (typeof ABILITIES)[number]
const OWNERSHIPS = Object.keys(table.access)
const FITS = 8_000
const TOO_SHORT = 1_000

/** A model as the table speaks of it. */
interface Row {
  readonly ownership: string
  readonly id: string
  readonly active: boolean
  /** As far as an operator's switches go. */
  readonly on: boolean
  readonly healthy: boolean
  /** Undefined = nobody knows. */
  readonly has: Readonly<Record<Ability, boolean | undefined>>
  readonly usdPerMTok: number | undefined
}
interface Case {
  readonly plan: Plan
  readonly needs: readonly Ability[]
  readonly name: string
  readonly rows: readonly Row[]
}

const CUSTOM_IDS = ['custom:x', 'custom:y', 'custom:z:1', 'custom:alpha:y']

function makeCase(random: () => number): Case {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const rows = Array.from({ length: 1 + Math.floor(random() * 6) }, (): Row => {
    const ownership = pick(OWNERSHIPS)
    const has = () => pick([true, true, false, undefined])
    return {
      ownership,
      // Few names, so that the same one is often borne by several; one looks like a provider's.
      id: pick(ownership.includes('provider') ? ['alpha:x', 'alpha:y', 'beta:y', 'beta:z:1'] : CUSTOM_IDS),
      active: random() < 0.8,
      on: random() < 0.9,
      healthy: random() < 0.8,
      has: { tools: has(), vision: has(), json: has(), context: has() },
      usdPerMTok: pick([undefined, 0, 1, 20]),
    }
  })
  const names = ['auto', 'auto', 'nowhere', 'custom:x', 'alpha:y', 'x', 'z:1', pick(rows).id]
  return {
    plan: pick(['free', 'paid']),
    needs: ABILITIES.filter(() => random() < 0.25),
    name: pick(names),
    rows,
  }
}

const OWNERS: Readonly<Record<string, string>> = {
  own_custom: 'me',
  provider_on_own_key: 'me',
  foreign_custom: 'them',
  public_custom_of_another: 'them',
  public_custom_for_paid: 'them',
  provider_on_foreign_key: 'them',
}
const PLANS: Readonly<Record<string, readonly Plan[]>> = {
  public_custom_for_paid: ['paid'],
  provider_for_paid: ['paid'],
  provider_for_all: ['free', 'paid'],
  // It must not matter what stands there for what is on somebody's own key.
  provider_on_foreign_key: ['free', 'paid'],
}

function toModel({ ownership, id, active, has, usdPerMTok }: Row): Model {
  const capabilities: Capabilities = {
    tools: has.tools,
    vision: has.vision,
    json: has.json,
    contextTokens: has.context === undefined ? undefined : has.context ? FITS : TOO_SHORT,
  }
  return model(id, {
    ownerId: OWNERS[ownership],
    isPublic: ownership.startsWith('public'),
    isOnPlan: ownership === 'public_custom_for_paid',
    plans: PLANS[ownership] ?? [],
    isActive: active,
    capabilities,
    price:
      usdPerMTok === undefined ? undefined : { inputUsdPerMTok: usdPerMTok, outputUsdPerMTok: usdPerMTok },
  })
}

/** What the table says of one case. Knows nothing of how the code goes about it. */
function expected({ plan, needs, name, rows }: Case) {
  const access = (row: Row) => table.access[row.ownership]?.[plan] as Access
  const meant = name === 'auto' ? rows : namedRows(name, rows)
  const verdicts = meant.map((row) => {
    const held = access(row)
    const out = table.out.find(
      (rule) =>
        (rule.access === undefined || rule.access === held) &&
        (rule.active === undefined || rule.active === row.active) &&
        (rule.on === undefined || rule.on === row.on) &&
        (rule.healthy === undefined || rule.healthy === row.healthy) &&
        (rule.needs === undefined || needs.includes(rule.needs)) &&
        (rule.lacks === undefined || row.has[rule.lacks] === false),
    )
    return { row, out: out?.reason, held }
  })
  const usable = verdicts.filter(({ out }) => out === undefined)
  const error = table.errors.find(({ any }) => any === null || verdicts.some(({ out }) => out === any))
  return { verdicts, usable, error: usable.length > 0 ? undefined : error }
}

function namedRows(name: string, rows: readonly Row[]): readonly Row[] {
  for (const fits of [
    (row: Row) => row.id === name,
    (row: Row) => row.id.slice(row.id.indexOf(':') + 1) === name,
  ]) {
    for (const group of table.named) {
      const found = rows.filter((row) => group.includes(row.ownership) && fits(row))
      if (found.length > 0) return found
    }
  }
  return []
}

function decide({ plan, needs, name, rows }: Case, random: () => number) {
  const models = rows.map(toModel)
  const rowOf = new Map(models.map((one, i) => [one, rows[i] as Row]))
  const wanted = wantedModels(name, models, 'me')
  const tokens = needs.includes('context') ? 4_000 : 10
  const asked = {
    ...NEEDS,
    tools: needs.includes('tools'),
    vision: needs.includes('vision'),
    json: needs.includes('json'),
    inputTokens: tokens,
    outputTokens: 100,
  }
  const judged = context({
    plan,
    needs: asked,
    random,
    isOff: (one) => rowOf.get(one)?.on === false,
    health: (one) => ({ available: rowOf.get(one)?.healthy === true, latencyMs: 100 * random() }),
  })
  const decision = select(wanted.models, judged, undefined, wanted.named)
  return { decision, rowOf, error: decision.chosen.length > 0 ? undefined : noModel(decision, name, asked) }
}

describe('choosing a model', () => {
  it(`agrees with the truth table in ${CASES} cases`, () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
    console.log(`truth table: seed ${seed}`)
    const random = seededRandom(seed)
    const met = new Map<string, number>()
    for (let i = 0; i < CASES; i++) {
      const one = makeCase(random)
      const truth = expected(one)
      const { decision, rowOf, error } = decide(one, random)
      const where = `seed ${seed}, case ${i}: ${JSON.stringify(one)}`
      const told = decision.considered.map((candidate) => ({
        row: rowOf.get(candidate.model),
        out: candidate.excluded,
      }))
      expect(told, where).toEqual(truth.verdicts.map(({ row, out }) => ({ row, out })))
      expect(new Set(decision.chosen.map((candidate) => rowOf.get(candidate.model))), where).toEqual(
        new Set(truth.usable.map(({ row }) => row)),
      )
      const ranks = decision.chosen.map((candidate) => candidate.rank)
      expect(ranks, where).toEqual(truth.usable.map(({ held }) => held[0]).toSorted())
      for (const { model: chosen, rank, reasons } of decision.chosen) {
        const row = rowOf.get(chosen) as Row
        expect([rank, reasons.includes('named')], where).toEqual([
          table.access[row.ownership]?.[one.plan][0],
          one.name !== 'auto',
        ])
        expect(reasons, where).toContain(table.access[row.ownership]?.[one.plan][1])
      }
      const { code, status, param = error?.param, retry } = truth.error ?? {}
      expect([error?.code, error?.status, error?.param], where).toEqual([code, status, param])
      if (retry !== undefined) expect(error?.retryAfterSeconds !== undefined, where).toBe(retry)
      const kind = truth.error ? `${truth.error.code} (${truth.error.any})` : `rank ${ranks[0]}`
      met.set(kind, (met.get(kind) ?? 0) + 1)
    }
    // A table row that no case met would have been agreed with by nobody.
    expect(met.size, [...met.keys()].join()).toBe(4 + table.errors.length)
    for (const [kind, count] of met) expect(count, kind).toBeGreaterThan(10)
  })

  it('never lets an unpaid plan reach a provider that is not open to it, save on its own key', () => {
    const flag = fc.boolean()
    const some = fc.record({
      provider: fc.constantFrom('openai', 'custom'),
      ownerId: fc.constantFrom('me', 'them', undefined),
      isPublic: flag,
      isActive: flag,
      plans: fc.constantFrom<readonly Plan[]>([], ['paid']),
      suits: fc.constantFrom(['chat'], undefined),
    })
    const name = fc.constantFrom('auto', 'openai:m', 'm', 'custom:m')
    fc.assert(
      fc.property(
        fc.array(some, { maxLength: 12 }),
        name,
        fc.double({ min: 0, max: 0.99 }),
        (all, asked, draw) => {
          const models = all.map(({ provider, ...rest }) => model(`${provider}:m`, rest))
          const wanted = wantedModels(asked, models, 'me')
          const judged = context({ plan: 'free', random: () => draw })
          for (const strategies of [undefined, []]) {
            const { chosen } = select(wanted.models, judged, strategies, wanted.named)
            for (const { model: reached } of chosen)
              expect(reached.kind === 'custom' || reached.ownerId === 'me').toBe(true)
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('never lets a tenant reach what is private to another, whatever it is called', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('custom:m', 'openai:m', 'custom:openai:m'), fc.boolean()), {
          maxLength: 8,
        }),
        fc.constantFrom('auto', 'm', 'custom:m', 'openai:m'),
        (all, asked) => {
          const models = all.map(([id, mine]) => model(id, { ownerId: mine ? 'me' : 'them' }))
          const wanted = wantedModels(asked, models, 'me')
          const { chosen } = select(wanted.models, context(), undefined, wanted.named)
          for (const { model: reached } of chosen) expect(reached.ownerId).toBe('me')
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
