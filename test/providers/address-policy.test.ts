import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { developmentPolicy, productionPolicy } from '../../src/providers/address-policy.ts'
import { isPublicIpv4, isPublicIpv6 } from '../../src/providers/address-ranges.ts'
import { BAD, carriers, dotted, GOOD, insideIpv4, notations, refusalOf } from '../support/addresses.ts'

describe('the address policy in production', () => {
  it.each(GOOD)('accepts %s', (url) => expect(productionPolicy().check(url).href).toBe(new URL(url).href))

  it.each(Object.entries(BAD))('refuses %s', (_, urls) => {
    for (const url of urls) refusalOf(url)
  })

  it('takes the longest address there may be, and is done at once with an over-long one', () => {
    const ofLength = (length: number) => 'https://api.openai.com/'.padEnd(length, 'a')
    productionPolicy().check(ofLength(2_048))
    refusalOf(ofLength(2_049))
    const started = performance.now()
    refusalOf(`https://${'a.-'.repeat(1_000_000)}`)
    refusalOf(`https://${'a.'.repeat(1_010)}-`)
    refusalOf(`https://${'a'.repeat(2_030)}-`)
    expect(performance.now() - started).toBeLessThan(50)
  })

  it('says what is wrong, and of the address nothing but its host', () => {
    const secretive = [
      'https://user:hunter2@api.openai.com/v1',
      'https://api.openai.com:22/hunter2?key=hunter2',
      'https://10.0.0.1/hunter2?key=hunter2',
      'https://db.internal/hunter2?key=hunter2',
      'http://api.openai.com/hunter2',
      'https://api.openai.com/#hunter2',
      'hunter2://x/',
      `https://api.openai.com/${'hunter2'.repeat(500)}`,
    ]
    for (const url of secretive) {
      const error = refusalOf(url)
      expect(`${JSON.stringify(error.toBody('r'))} ${error.stack} ${error.cause}`).not.toMatch(/hunter2/)
    }
    expect(refusalOf('https://10.0.0.1/v1').message).toContain('10.0.0.1')
    expect(refusalOf('https://api.openai.com:22/').message).toContain('port 22 of api.openai.com')
    expect(refusalOf('https://<script>/').message).not.toContain('<script>')
  })
})

describe('addresses inside, at random', () => {
  it('are refused in every notation of IPv4', () => {
    fc.assert(
      fc.property(insideIpv4, (address) => {
        expect(isPublicIpv4(dotted(address))).toBe(false)
        for (const host of notations(address)) {
          // Each is that address, to a parser: refusing what nobody can read would prove little.
          expect(new URL(`https://${host}/`).hostname).toBe(dotted(address))
          refusalOf(`https://${host}/v1`)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('are refused in every IPv6 address that carries one', () => {
    fc.assert(
      fc.property(insideIpv4, (address) => {
        for (const host of carriers(address)) refusalOf(`https://[${host}]/v1`)
      }),
      { numRuns: 300 },
    )
  })

  it('are told from global unicast, group by group', () => {
    const group = fc.integer({ min: 0, max: 0xffff })
    const special = [0x2001, 0x2002, 0x2620, 0x3ffe, 0x3fff]
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const text = groups.map((part) => part.toString(16)).join(':')
        const host = new URL(`https://[${text}]/`).hostname.slice(1, -1)
        const [first = 0] = groups
        fc.pre(!special.includes(first))
        expect(isPublicIpv6(host)).toBe(first >= 0x2000 && first <= 0x3fff)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each(
    '1.1.1.1 9.255.255.255 11.0.0.0 126.255.255.255 128.0.0.0 172.15.255.255 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255'.split(
      ' ',
    ),
  )('do not include %s', (host) => expect(isPublicIpv4(host)).toBe(true))

  it.each(['2001:200::', '2a00:1450:4001::200e', '2001:4860::', '2620:fe::fe', '3fff:1000::', '2000::'])(
    'do not include %s',
    (host) => expect(isPublicIpv6(host)).toBe(true),
  )
})

describe("the operator's list", () => {
  const allowedHosts = [
    'llm.example.com:8443',
    'models.corp',
    'gpu:9000',
    '[2606:4700::1111]:8443',
    'Api.Other.com:443',
  ]
  const policy = productionPolicy({ allowedHosts })

  it.each([
    'https://llm.example.com:8443/v1',
    'https://llm.example.com/v1',
    'https://models.corp/v1',
    'https://gpu:9000/v1',
    'https://[2606:4700::1111]:8443/v1',
    'https://api.other.com/v1',
  ])('opens %s', (url) => expect(policy.check(url).href).toBe(url))

  it.each([
    'http://llm.example.com:8443/v1',
    'https://llm.example.com:8444/v1',
    'https://x.llm.example.com:8443/v1',
    'https://models.corp:8443/v1',
    'https://x.models.corp/v1',
    'https://gpu/v1',
    'https://user@gpu:9000/v1',
    'https://gpu.:9000/v1',
  ])('does not open %s', (url) => void refusalOf(url, policy))

  it.each([
    '127.0.0.1',
    '127.0.0.1:11434',
    'localhost:11434',
    '169.254.169.254',
    'metadata.google.internal',
    '10.0.0.1:8443',
    '[::1]:8080',
    'x.nip.io',
    'https://llm.example.com',
    'llm.example.com/v1',
    'llm.example.com?x',
    '*.example.com',
    'user:hunter2@llm.example.com',
    'llm.example.com.',
    '2130706433',
    '',
  ])('takes no entry like "%s", and says which one it is without repeating it', (entry) => {
    const made = () => productionPolicy({ allowedHosts: ['fine.example.com', entry] })
    expect(made).toThrow(expect.objectContaining({ code: 'misconfigured', status: 500 }))
    expect(made).toThrow(/entry 2 of its list of allowed hosts/)
    if (entry) expect(made).not.toThrow(entry)
  })
})

describe('the address policy in development', () => {
  const policy = developmentPolicy({
    loopback: ['127.0.0.1:11434', 'localhost:8080', '[::1]:80'],
    allowedHosts: ['gpu:9000'],
  })

  it.each([
    'http://127.0.0.1:11434/v1',
    'https://127.0.0.1:11434/v1',
    'http://localhost:8080/v1',
    'http://[::1]/v1',
    'https://api.openai.com/v1',
    'https://gpu:9000/v1',
  ])('accepts %s', (url) => expect(policy.check(url).href).toBe(url))

  it.each([
    'http://127.0.0.1:11435/v1',
    'http://127.0.0.1/v1',
    'http://127.0.0.2:11434/v1',
    'http://127.1:11434/v1',
    'http://2130706433:11434/v1',
    'http://0x7f.1:11434/v1',
    'http://0.0.0.0:11434/v1',
    'http://user@127.0.0.1:11434/v1',
    'http://127.0.0.1.:11434/v1',
    'http://localhost:11434/v1',
    'http://localhost.:8080/v1',
    'http://x.localhost:8080/v1',
    'http://[::1]:8080/v1',
    'http://[::ffff:127.0.0.1]:11434/v1',
    'http://169.254.169.254/v1',
    'http://192.168.1.1:11434/v1',
    'http://gpu:9000/v1',
    'ftp://127.0.0.1:11434/v1',
  ])('refuses %s', (url) => void refusalOf(url, policy))

  it('refuses what production refuses', () => {
    for (const url of Object.values(BAD).flat()) refusalOf(url, policy)
  })

  it.each([
    '127.0.0.1',
    '0.0.0.0:80',
    '10.0.0.1:80',
    'localhost',
    'x.localhost:80',
    '127.0.0.1:0',
    '127.0.0.1:99999',
    'http://127.0.0.1:80',
    '127.1:80',
    '',
  ])('takes "%s" for no loopback address', (entry) =>
    expect(() => developmentPolicy({ loopback: [entry] })).toThrow(/entry 1 of its list of loopback/),
  )
})
