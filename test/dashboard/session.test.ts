import { describe, expect, it } from 'vitest'
import { Vault } from '../../src/core/vault.ts'
import { SESSION_MS, ViewerSessions } from '../../src/dashboard/session.ts'

const NOW_MS = 1_795_000_000_000
const vault = (seed = 1) => new Vault(new Uint8Array(32).fill(seed))
const SECRETS = { viewer: 'v'.repeat(43), operator: 'o'.repeat(43) }
const sessions = new ViewerSessions(vault(), SECRETS)

describe('a session', () => {
  it.each(['viewer', 'operator'] as const)('of the %s lasts twelve hours', async (role) => {
    const cookie = await sessions.open(role, NOW_MS)
    const untilMs = NOW_MS + SESSION_MS
    expect(await sessions.read(cookie, untilMs - 1)).toEqual({ role, untilMs })
    expect(await sessions.read(cookie, untilMs)).toBeUndefined()
    expect(await sessions.read(cookie, NOW_MS - 1)).toBeUndefined()
  })

  it('ends when its secret is replaced or removed, and the other one’s does not', async () => {
    const viewer = await sessions.open('viewer', NOW_MS)
    const operator = await sessions.open('operator', NOW_MS)
    for (const secret of ['w'.repeat(43), '', undefined]) {
      const now = new ViewerSessions(vault(), { ...SECRETS, viewer: secret })
      expect(await now.read(viewer, NOW_MS)).toBeUndefined()
      expect(await now.read(operator, NOW_MS)).toBeDefined()
    }
    expect(await new ViewerSessions(vault(2), SECRETS).read(viewer, NOW_MS)).toBeUndefined()
  })

  it('is no session after any change to it', async () => {
    const cookie = await sessions.open('viewer', NOW_MS)
    for (let at = 0; at < cookie.length; at++) {
      const changed = `${cookie.slice(0, at)}${cookie[at] === '1' ? '2' : '1'}${cookie.slice(at + 1)}`
      expect(await sessions.read(changed, NOW_MS), changed).toBeUndefined()
    }
    for (const text of [
      '',
      'v1',
      `${cookie}.`,
      ` ${cookie}`,
      cookie.slice(0, -1),
      cookie.replace('viewer', '__proto__'),
    ])
      expect(await sessions.read(text, NOW_MS), text).toBeUndefined()
  })
})
