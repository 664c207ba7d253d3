import { describe, expect, it } from 'vitest'
import { DASHBOARD_FILES, readDashboard } from './grafana.ts'
import { inShort, PROMISED_PANELS } from './spec-panels.ts'

const CODES = Object.keys(DASHBOARD_FILES) as (keyof typeof DASHBOARD_FILES)[]

describe('the dashboards', () => {
  it.each([
    ['P', 'Performance Overview', 'beast-performance', '30s', 12],
    ['C', 'Cache Performance', 'beast-cache', '30s', 10],
    ['K', 'Cost Optimization', 'beast-cost', '1m', 11],
    ['S', 'System Health', 'beast-system', '10s', 10],
  ] as const)('%s: %s', (code, title, uid, refresh, count) => {
    const dashboard = readDashboard(code)
    expect(dashboard).toMatchObject({ title, uid, refresh })
    expect(dashboard.panels).toHaveLength(count)
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
    ])
  })

  it('have the 43 panels as promised, each with a description and the data source that is chosen', () => {
    const panels = CODES.flatMap((code) =>
      readDashboard(code).panels.map((panel, place) => ({ ...panel, code: `${code}${place + 1}` })),
    )
    expect(panels).toHaveLength(43)
    const shown = panels.map(({ code, title, type, fieldConfig, targets }) => ({
      id: code,
      title,
      kind: type,
      unit: fieldConfig.defaults.unit,
      query: inShort(targets[0]?.expr ?? ''),
    }))
    expect(shown).toEqual(PROMISED_PANELS)
    const chosen = '$' + '{datasource}'
    for (const { description, datasource, targets, code } of panels) {
      expect(description.length, code).toBeGreaterThan(10)
      expect([datasource.uid, ...targets.map((target) => target.datasource.uid)], code).toEqual([
        chosen,
        chosen,
      ])
    }
  })

  it('ask for the gateway that is chosen in every selector', () => {
    for (const code of CODES) {
      for (const { targets, title } of readDashboard(code).panels) {
        const selectors = targets[0]?.expr.match(/beast_\w+(?:\{[^}]*\})?/g) ?? []
        expect(selectors.length, title).toBeGreaterThan(0)
        for (const selector of selectors) expect(selector, title).toContain('job=~"$job"')
      }
    }
  })

  it('draw a line where an alert fires', () => {
    const lines = CODES.flatMap((code) => readDashboard(code).panels).flatMap(({ title, fieldConfig }) =>
      fieldConfig.defaults.custom?.thresholdsStyle.mode === 'line'
        ? [[title, fieldConfig.defaults.thresholds.steps.at(-1)?.value]]
        : [],
    )
    expect(lines).toEqual([
      ['Error rate', 0.05],
      ['Estimated daily cost', 100],
    ])
  })

  it('lay no panel over another', () => {
    for (const code of CODES) {
      const cells = readDashboard(code).panels.map(({ gridPos: { x, y, w } }) => {
        expect(x + w).toBeLessThanOrEqual(24)
        return `${x},${y}`
      })
      expect(new Set(cells).size).toBe(cells.length)
    }
  })
})
