import { SERIAL_DIGITS } from './workload.ts'

/** One whole HTTP request, ready to be sent, and where its serial number stands in it. */
export function requestBytes(path: string, key: string, text: string): { bytes: Buffer; serialAt: number } {
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nauthorization: Bearer ${key}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`
  const bytes = Buffer.from(head + text)
  return { bytes, serialAt: bytes.indexOf('0'.repeat(SERIAL_DIGITS)) }
}

/** Makes the request unlike any other. */
export const writeSerial = (bytes: Buffer, at: number, serial: number): void => {
  bytes.write(String(serial).padStart(SERIAL_DIGITS, '0'), at, 'latin1')
}
