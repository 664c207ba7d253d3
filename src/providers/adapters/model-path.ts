import { GatewayError } from '../../core/errors.ts'

/**
 * A model's name as part of a path: its slashes stay, nothing of it leads elsewhere.
 * @throws GatewayError `model_not_found` for a name that no model can have
 */
export function modelPath(model: string): string {
  const parts = model.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    throw new GatewayError(
      'model_not_found',
      'No model can have this name: it has empty or relative parts.',
      'Name a model from GET /v1/models.',
      { param: 'model' },
    )
  return parts.map((part) => encodeURIComponent(part).replaceAll('%40', '@')).join('/')
}
