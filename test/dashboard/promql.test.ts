import { describe, expect, it } from 'vitest'
import { emptyText } from '../../src/dashboard/empty.ts'
import { parsePromql, selectorsOf } from '../../src/dashboard/promql.ts'
import { TABS } from '../../src/dashboard/tabs.ts'
import { meaningOf } from '../../src/dashboard/timeline.ts'
import { DASHBOARDS } from '../../src/metrics/panels.ts'

describe('the panels', () => {
  it('are those of the dashboards, all 43, and those of custom models', () => {
    const shown = TABS.filter(({ code }) => DASHBOARDS.some((dashboard) => dashboard.code === code))
    expect(shown.flatMap(({ panels }) => panels).length).toBe(43)
    for (const { code, panels } of DASHBOARDS) {
      const tab = TABS.find((each) => each.code === code)
      expect(tab?.panels.map(({ title, expr, unit }) => [title, expr, unit])).toEqual(
        panels.map(({ title, expr, unit }) => [title, expr, unit]),
      )
    }
  })

  it('ask for nothing that the catalogue does not have, and say what to do while they are empty', () => {
    for (const panel of TABS.flatMap(({ panels }) => panels)) {
      const names = selectorsOf(panel.query).map(({ name }) => name)
      expect(names.length, panel.code).toBeGreaterThan(0)
      for (const name of names) expect(meaningOf(name), `${panel.code} ${name}`).toBeDefined()
      expect(emptyText(panel), panel.code).toMatch(/^\S.{20,}[.)]$/)
    }
  })

  it('know which choices hold for them', () => {
    const filtersOf = (code: string) =>
      TABS.flatMap(({ panels }) => panels).find((panel) => panel.code === code)?.filters
    expect(filtersOf('P1')).toEqual(['mode', 'model'])
    expect(filtersOf('P3')).toEqual(['mode'])
    expect(filtersOf('P12')).toEqual(['tenant'])
    // What was saved is not known by model.
    expect(filtersOf('K11')).toEqual(['mode'])
    expect(filtersOf('S1')).toEqual([])
  })
})

describe('parsing', () => {
  it('binds as PromQL does', () => {
    expect(parsePromql('1 + 2 * 3 - 4')).toEqual({
      is: 'binary',
      op: '-',
      left: {
        is: 'binary',
        op: '+',
        left: { is: 'number', value: 1 },
        right: {
          is: 'binary',
          op: '*',
          left: { is: 'number', value: 2 },
          right: { is: 'number', value: 3 },
        },
      },
      right: { is: 'number', value: 4 },
    })
  })

  it('reads escaped values of labels', () => {
    const [selector] = selectorsOf(parsePromql(String.raw`sum by(a,b)(rate(x{a="q\"}",b!="\\",}[90m]))`))
    expect(selector?.matchers).toEqual([
      { label: 'a', op: '=', value: 'q"}' },
      { label: 'b', op: '!=', value: '\\' },
    ])
  })

  it.each(['', 'sum(', 'sum(x))', 'rate(x[5d])', 'x{a=}', 'x y', '%', 'rate(x)', 'sum by(a x', '('])(
    'refuses %j',
    (text) => expect(() => parsePromql(text)).toThrow(SyntaxError),
  )
})
