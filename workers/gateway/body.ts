import { readBounded, TooLargeError } from '../../src/core/bytes.ts'
import { GatewayError } from '../../src/core/errors.ts'

/**
 * The body's bytes, counted as they come.
 * @throws GatewayError `body_too_large`, `unsupported_encoding`, `request_cut_off`
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const encoding = request.headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw new GatewayError(
      'unsupported_encoding',
      'The body is compressed, which is not accepted.',
      'Send the body uncompressed.',
    )
  }
  const stated = request.headers.get('content-length')
  if (stated !== null && Number(stated) > maxBytes) throw tooLarge(maxBytes)
  try {
    // With a stated length the platform delivers no more than that, in one piece and at less cost.
    if (stated !== null) return new Uint8Array(await request.arrayBuffer())
    return request.body ? await readBounded(request.body, maxBytes) : new Uint8Array()
  } catch (cause) {
    if (cause instanceof TooLargeError) throw tooLarge(maxBytes)
    throw new GatewayError(
      'request_cut_off',
      'The body ended before it was complete.',
      'Send the request again.',
      { cause },
    )
  }
}

const tooLarge = (maxBytes: number) =>
  new GatewayError(
    'body_too_large',
    `The body is larger than ${maxBytes} bytes.`,
    'Send less: shorten the conversation, or give images as addresses.',
  )
