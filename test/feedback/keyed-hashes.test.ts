import { describe, expect, it } from 'vitest'
import { Vault } from '../../src/core/vault.ts'
import { KeyedHashes } from '../../src/feedback/keyed-hashes.ts'

const hashes = (seed = 7) => new KeyedHashes(new Vault(new Uint8Array(32).fill(seed)), 'user-hash')

describe('a user’s hash', () => {
  it('is one at all times, and fits its column', async () => {
    const hash = await hashes().of('acme', 'ann')
    expect(hash).toMatch(/^[\w-]{43}$/)
    expect(await hashes().of('acme', 'ann')).toBe(hash)
    // Rows are found by it for years: whoever changes it loses them.
    expect(hash).toBe('DwLxkRTX03J_Dfh6GptVI9xRmSMPoeJTSwvMJaI8v2w')
  })

  it('is another for each tenant, name and root secret, however they are joined', async () => {
    const all = await Promise.all([
      hashes().of('acme', 'ann'),
      hashes().of('acme', 'Ann'),
      hashes().of('acme', 'ann '),
      hashes().of('acme', ''),
      hashes().of('acm', 'eann'),
      hashes().of('other', 'ann'),
      hashes().of('acme', 'a\u0308'),
      hashes().of('acme', '\u00e4'),
      hashes(8).of('acme', 'ann'),
    ])
    expect(new Set(all).size).toBe(all.length)
  })
})
