import { describe, expect, it } from 'vitest'
import { confined } from '../../workers/jurisdiction/confined.ts'

describe('confined bindings', () => {
  const namespace = (where: string) => ({
    where,
    idFromName: (name: string) => `${where}/${name}`,
    jurisdiction: (jurisdiction: string) => namespace(jurisdiction),
  })

  it('reach Durable Objects in the jurisdiction, and everything else as it was', () => {
    const queue = { send: () => {} }
    const env = {
      DURABLE_OBJECT_JURISDICTION: 'eu',
      ACCOUNT: namespace('anywhere'),
      TELEMETRY: queue,
      ROOT_KEY: 'r',
    }
    const inside = confined(env as never) as typeof env
    expect(inside.ACCOUNT.idFromName('team')).toBe('eu/team')
    expect(inside.TELEMETRY).toBe(queue)
    expect(inside.ROOT_KEY).toBe('r')
  })
})
