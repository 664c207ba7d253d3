import { CLUES } from './clues.ts'

/** How far each clue is believed: a weight for each, and how unsure they still are (covariance, row by row). */
export interface Belief {
  readonly weights: number[]
  readonly unsure: number[]
}

/** Before any day has taught better: the mean of the memories, and the weekday taken at its word. */
const FIRST_WEIGHTS = [0, 0, 0.3, 0.3, 0, 0.2, 0.2, 0.5, 0.5, 0, 0, 0]
/** Variance of these weights; small, so that a young tenant's few days do not carry them far away. */
const FIRST_VARIANCE = 0.1
/** Variance that each day adds, so that what was learnt can be unlearnt. */
const DAILY_VARIANCE = 2e-5
/** Surer than this no outcome is believed, so that one surprise moves the weights by little. */
const SUREST = 0.001

export const untaught = (): Belief => ({
  weights: [...FIRST_WEIGHTS],
  unsure: Array.from({ length: CLUES * CLUES }, (_, at) => (at % (CLUES + 1) === 0 ? FIRST_VARIANCE : 0)),
})

/** The probability, by logistic regression over the clues, that the prompt comes on the day. */
export function believed({ weights }: Belief, clues: readonly number[]): number {
  let sum = 0
  for (let index = 0; index < CLUES; index++) sum += (weights[index] ?? 0) * (clues[index] ?? 0)
  return 1 / (1 + Math.exp(-sum))
}

/**
 * Takes in, once it is known, whether the prompt came: one step of an extended Kalman filter, whose state is the
 * weights and which measures the outcome. It needs no step size and settles within some days.
 */
export function learn({ weights, unsure }: Belief, clues: readonly number[], came: boolean): void {
  const expected = Math.min(1 - SUREST, Math.max(SUREST, believed({ weights, unsure }, clues)))
  const noise = expected * (1 - expected)
  const spread = new Array<number>(CLUES).fill(0)
  let variance = 0
  for (let row = 0; row < CLUES; row++) {
    let sum = 0
    for (let column = 0; column < CLUES; column++)
      sum += (unsure[row * CLUES + column] ?? 0) * (clues[column] ?? 0)
    spread[row] = sum
    variance += sum * (clues[row] ?? 0)
  }
  const error = (came ? 1 : 0) - expected
  const scale = 1 / (1 + noise * variance)
  for (let row = 0; row < CLUES; row++) {
    const moved = (spread[row] ?? 0) * scale
    weights[row] = (weights[row] ?? 0) + moved * error
    for (let column = 0; column < CLUES; column++) {
      const at = row * CLUES + column
      unsure[at] = (unsure[at] ?? 0) - noise * moved * (spread[column] ?? 0)
    }
  }
}

/** A day has gone by: nothing is quite as sure as it was. */
export function doubt({ unsure }: Belief): void {
  for (let at = 0; at < unsure.length; at += CLUES + 1) unsure[at] = (unsure[at] ?? 0) + DAILY_VARIANCE
}
