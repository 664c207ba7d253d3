import {
  type AddressPolicy,
  developmentPolicy,
  productionPolicy,
} from '../../src/providers/address-policy.ts'
import { type Env, listOf } from './env.ts'

/**
 * Where tenants' models may lie: public https and the operator's list; with UPSTREAM_LOOPBACK, which is for a laptop,
 * those addresses too.
 * @throws GatewayError `misconfigured`
 */
export function addressPolicyOf(env: Env): AddressPolicy {
  const allowedHosts = listOf(env.UPSTREAM_ALLOWED_HOSTS)
  const loopback = listOf(env.UPSTREAM_LOOPBACK)
  return loopback.length > 0
    ? developmentPolicy({ allowedHosts, loopback })
    : productionPolicy({ allowedHosts })
}
