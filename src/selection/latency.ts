import type { Candidate, SelectionContext, Strategy } from './strategy.ts'

/** Puts the two that were drawn before the rest of their equals, and weighs less than any other reason. */
const FIRST = 0.002
const SECOND = 0.001

/**
 * Power of two choices: of the candidates that are otherwise equally good, two are drawn and the faster one goes
 * first. Taking the fastest of all would send every isolate's requests to the same model at the same moment.
 */
export const faster: Strategy = {
  name: 'latency',
  order: (candidates, context) => {
    const places = placesOfBest(candidates)
    if (places.length < 2) return candidates
    const [a, b] = drawTwo(places, context.random)
    const first = candidates[a]
    const second = candidates[b]
    if (!first || !second) return candidates
    const swap = isSlower(first, second, context)
    const drawn = [...candidates]
    drawn[a] = placed(first, swap ? SECOND : FIRST)
    drawn[b] = placed(second, swap ? FIRST : SECOND)
    return drawn
  },
}

const placed = (candidate: Candidate, score: number): Candidate => ({
  ...candidate,
  score: candidate.score + score,
  reasons: score === FIRST ? [...candidate.reasons, 'faster'] : candidate.reasons,
})

function placesOfBest(candidates: readonly Candidate[]): readonly number[] {
  let best: Candidate | undefined
  let places: number[] = []
  for (let place = 0; place < candidates.length; place++) {
    const candidate = candidates[place]
    if (!candidate) continue
    const difference = best ? candidate.rank - best.rank || best.score - candidate.score : -1
    if (difference > 0) continue
    if (difference < 0) {
      best = candidate
      places = []
    }
    places.push(place)
  }
  return places
}

function drawTwo(places: readonly number[], random: () => number): [number, number] {
  const a = Math.floor(random() * places.length)
  const b = (a + 1 + Math.floor(random() * (places.length - 1))) % places.length
  return [places[a] ?? 0, places[b] ?? 0]
}

/** Where one of the two is not known yet the draw stands: both get measured, and neither gets everything. */
function isSlower(first: Candidate, second: Candidate, context: SelectionContext): boolean {
  const [a, b] = [expectedMs(first, context), expectedMs(second, context)]
  return a !== undefined && b !== undefined && a > b
}

/** Until an answer begins, tries that fail counted in. */
function expectedMs({ model }: Candidate, context: SelectionContext): number | undefined {
  const { latencyMs, successShare = 1 } = context.health(model)
  return latencyMs === undefined ? undefined : latencyMs / Math.max(successShare, 0.01)
}
