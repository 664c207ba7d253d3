import fc from 'fast-check'
import { uuidv7 } from '../../src/core/ids.ts'

const DAY_MS = 86_400_000

/** Any rating that is taken, made before `nowMs`. */
export const rating = (nowMs: number) =>
  fc
    .record(
      {
        id: fc.uuid(),
        prediction_id: fc.nat({ max: 729 * DAY_MS }).map((ageMs) => uuidv7(nowMs - ageMs)),
        source: fc.constantFrom('user', 'bot', 'auto-prompt'),
        thumbs: fc.constantFrom('up', 'down'),
        rating: fc.integer({ min: 1, max: 5 }),
        outcome: fc.double({ min: -1e9, max: 1e9, noNaN: true }),
        correction: fc
          .string({ unit: 'binary', minLength: 1 })
          .filter((text) => !text.includes('\0') && text.isWellFormed()),
        tags: fc.array(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$/), { maxLength: 20 }),
      },
      { requiredKeys: ['prediction_id', 'source'] },
    )
    .filter(
      (body) =>
        body.thumbs !== undefined ||
        body.rating !== undefined ||
        body.outcome !== undefined ||
        body.correction !== undefined ||
        (body.tags?.length ?? 0) > 0,
    )
