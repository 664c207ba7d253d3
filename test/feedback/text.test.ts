import { expect, it } from 'vitest'
import { toParcel } from '../../src/feedback/outbox.ts'
import { toTextRow } from '../../src/feedback/text.ts'
import { idOf, TENANT_ID } from '../support/telemetry.ts'

const row = (prompt: string, answer = 'yes') => toTextRow(idOf(1), TENANT_ID, 0, prompt, answer)

it('keeps what fits whole', () => {
  expect(row('[{"role":"user"}]')).toEqual({
    prediction_id: idOf(1),
    tenant_id: TENANT_ID,
    created_at: '1970-01-01T00:00:00.000Z',
    prompt: '[{"role":"user"}]',
    answer: 'yes',
  })
})

it.each(['a', '模', '😀', '\u0001', '"', '\0', '\ud800'])(
  'of very much %j keeps what one message holds',
  (sign) => {
    const much = sign.repeat(2_000_000)
    const kept = row(much, much)
    expect(Buffer.byteLength(toParcel({ kind: 'text', row: kept }).text)).toBeLessThan(100_000)
    expect(kept.prompt.length).toBeGreaterThan(5_000)
    expect(kept.prompt.isWellFormed()).toBe(true)
    expect(kept.prompt).not.toContain('\0')
  },
)
