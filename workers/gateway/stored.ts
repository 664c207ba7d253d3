import { GatewayError } from '../../src/core/errors.ts'

/** A store that fails is an outage to be told of, not a defect. */
export async function stored<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    throw new GatewayError(
      'store_unavailable',
      'The database did not do what was asked.',
      'Try again; GET /readyz with your token shows which store is down.',
      {
        cause,
        retryAfterSeconds: 5,
      },
    )
  }
}
