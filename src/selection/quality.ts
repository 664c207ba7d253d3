import type { Model } from '../models/model.ts'
import type { Needs } from './needs.ts'
import type { Strategy } from './strategy.ts'

/** How good an answer of this model to such a request is likely to be, 0 to 1; undefined = cannot say. */
export type PredictQuality = (model: Model, needs: Needs) => number | undefined

/** Expected of a model that the predictor knows nothing of. */
const UNKNOWN_QUALITY = 0.5
/** Predictions that lie closer together than this are equal, so that price and speed may decide between them. */
const STEPS = 20
/** With it a quarter of predicted quality weighs as much as the whole range of prices. */
const DEFAULT_WEIGHT = 4

/** Prefers, within a rank, models that are predicted to answer well. Nothing predicted at all changes nothing. */
export function better(predict: PredictQuality, weight = DEFAULT_WEIGHT): Strategy {
  return {
    name: 'quality',
    order: (candidates, { needs }) =>
      candidates.map((candidate) => {
        const predicted = predict(candidate.model, needs)
        const known = predicted !== undefined && predicted >= 0 && predicted <= 1
        return {
          ...candidate,
          score: candidate.score + weight * (known ? Math.round(predicted * STEPS) / STEPS : UNKNOWN_QUALITY),
          reasons: known ? [...candidate.reasons, 'predicted_quality'] : candidate.reasons,
        }
      }),
  }
}
