import { keksFrom } from '../../src/models/keks.ts'
import { KeyBox } from '../../src/models/key-box.ts'
import type { ProviderKeys } from '../../src/models/manage.ts'
import type { Env } from './env.ts'

/**
 * Seals and opens provider keys under the secrets KEK_1, KEK_2 and so on. They are read at the first use, so that a
 * gateway without stored keys needs none.
 */
export function createKeyBox(env: Env): ProviderKeys {
  let box: KeyBox | undefined
  const ready = (): KeyBox => {
    if (!box) {
      const { keks, currentKid } = keksFrom({ ...env })
      box = new KeyBox(keks, currentKid)
    }
    return box
  }
  return {
    seal: async (place, apiKey) => ready().seal(place, apiKey),
    open: async (place, sealed) => ready().open(place, sealed),
    rewrap: async (sealed) => ready().rewrap(sealed),
  }
}
