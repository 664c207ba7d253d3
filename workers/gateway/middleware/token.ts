import { utf8 } from '../../../src/core/bytes.ts'
import { MIN_SECRET_LENGTH } from '../env.ts'

/** Whether the token was presented, told in constant time. Closed while none, or a weak one, is set. */
export async function holdsToken(presented: string | undefined, token: string | undefined): Promise<boolean> {
  if (!presented || !token || token.length < MIN_SECRET_LENGTH) return false
  // Hashed first: timingSafeEqual needs equal lengths, and a length is a secret too.
  const [a, b] = await Promise.all([
    crypto.subtle.digest('SHA-256', utf8(presented)),
    crypto.subtle.digest('SHA-256', utf8(token)),
  ])
  return crypto.subtle.timingSafeEqual(a, b)
}
