import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../scripts/seeded-random.ts'
import { recordId, toParcel } from '../../src/feedback/outbox.ts'
import { type AccountStack, accountStack } from '../support/account-stack.ts'
import { idOf, recordOf } from '../support/telemetry.ts'

// The account objects as they would be deployed, on raw workerd and on disk, killed without warning.

/** Hands what it is told to the account of one tenant, and says yes only once that has said so. */
const DOOR = `export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok')
    const parcel = await request.json()
    const account = env.ACCOUNT.get(env.ACCOUNT.idFromName('tenant'))
    await account.maySpend('key', parcel)
    await account.settle(parcel)
    return new Response('acknowledged')
  }
}`

let stack: AccountStack
let queueIsUp = true
const received: string[] = []

beforeAll(async () => {
  stack = await accountStack(DOOR, (records) => {
    if (queueIsUp) received.push(...records.map(recordId))
    return queueIsUp
  })
})
afterAll(() => stack?.close())

describe('an account that is killed', () => {
  it('has lost nothing that it acknowledged, at ten seeded instants', { timeout: 120_000 }, async () => {
    const seed = Date.now() & 0xffff
    console.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const acknowledged: string[] = []
    const asked: string[] = []
    let number = 0
    for (let life = 0; life < 10; life++) {
      // Now and then what was acknowledged cannot even leave.
      queueIsUp = random() < 0.7
      const served = await stack.start()
      let left = 5 + Math.floor(random() * 60)
      const sending = Array.from({ length: 80 }, async () => {
        const parcel = toParcel(recordOf(number++))
        asked.push(parcel.id)
        const response = await fetch(`http://127.0.0.1:${served.port}/`, {
          method: 'POST',
          body: JSON.stringify(parcel),
        }).catch(() => undefined)
        if ((await response?.text().catch(() => '')) !== 'acknowledged') return
        acknowledged.push(parcel.id)
        // SIGKILL, with the rest of them under way.
        if (--left === 0) void served.close()
      })
      await Promise.all(sending)
      await served.close()
    }
    queueIsUp = true
    const served = await stack.start()
    // Wakes the object: until somebody asks for it, only its alarm would.
    const parcel = toParcel(recordOf(number++))
    asked.push(parcel.id)
    await fetch(`http://127.0.0.1:${served.port}/`, { method: 'POST', body: JSON.stringify(parcel) })
    acknowledged.push(parcel.id)
    const missing = () => acknowledged.filter((id) => !received.includes(id))
    await expect.poll(() => missing().length, { timeout: 20_000, interval: 100 }).toBe(0)
    await served.close()
    expect(acknowledged.length).toBeGreaterThan(100)
    expect(received.filter((id) => !asked.includes(id))).toEqual([])
    expect(asked[0]).toBe(idOf(0))
  })
})
