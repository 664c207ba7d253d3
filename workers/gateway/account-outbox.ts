import { MAX_RECORD_BYTES, type Outbox, toParcel } from '../../src/feedback/outbox.ts'
import type { Account } from '../state/account.ts'

/** The outbox of each tenant's account object. */
export const accountOutbox = (namespace: DurableObjectNamespace<Account>): Outbox => ({
  add: async (tenantId, records) => {
    const parcels = records.map(toParcel)
    const tooLarge = parcels.find(({ text }) => new Blob([text]).size > MAX_RECORD_BYTES)
    if (tooLarge) throw new RangeError(`record ${tooLarge.id} is larger than ${MAX_RECORD_BYTES} bytes`)
    const account = namespace.get(namespace.idFromName(tenantId))
    if (!(await account.add(parcels))) throw new Error('the outbox of this tenant is full')
  },
})
