import type { Needs } from './needs.ts'
import type { Strategy } from './strategy.ts'

/** More than the whole range of prices weighs: whoever says what a model is for means it to be used for that. */
const FIT_SCORE = 2
/** From this share of code on, the language of the code counts. */
const MUCH_CODE = 0.3

/** Prefers, within a rank, models whose owner says that they suit this task or this programming language. */
export const fitting: Strategy = {
  name: 'task',
  order: (candidates, { needs }) =>
    candidates.map((candidate) => {
      const { suits } = candidate.model
      if (!suits || !fits(suits, needs)) return candidate
      return {
        ...candidate,
        score: candidate.score + FIT_SCORE,
        reasons: [...candidate.reasons, 'fits_task'],
      }
    }),
}

const fits = (suits: readonly string[], { task, codeShare, codeLanguage }: Needs): boolean =>
  suits.includes(task) ||
  (codeLanguage !== undefined && codeShare >= MUCH_CODE && suits.includes(codeLanguage))
