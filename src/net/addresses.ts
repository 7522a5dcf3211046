import ipaddr from 'ipaddr.js'

/** The part of IPv6 that is given out as public addresses; outside of it old forms hide IPv4 addresses (`::127.0.0.1`). */
const GLOBAL_IPV6 = cidr('2000::/3')

/**
 * Addresses that look public and belong to the inside of a cloud: its hosts reach them from within, and they answer for the
 * platform. The metadata services of the big clouds at 169.254.169.254 and 169.254.170.2 (link-local), 100.100.100.200
 * (Alibaba, shared address space), 192.0.0.192 (Oracle, reserved) and fd00:ec2::254, fd20:ce::254 (AWS, Google, unique local)
 * lie in ranges that are not public anyway.
 */
const CLOUD_PLATFORMS = [
  cidr('168.63.129.16/32'), // Azure: virtual public IP of the host (Microsoft Learn, "What is IP address 168.63.129.16?")
  cidr('161.26.0.0/16'), // IBM Cloud: infrastructure services (IBM Cloud docs, VPC, "Service endpoints")
  cidr('166.8.0.0/14'), // IBM Cloud: private endpoints of its services (same page)
]

/**
 * True for addresses of the public internet. Not public are loopback, private, link-local, shared, multicast, reserved, mapped
 * and translated addresses (the IANA special-purpose registries of IPv4 and IPv6, RFC 6890, as ipaddr.js has them), IPv6
 * addresses that carry an IPv4 address (6to4, Teredo, NAT64, ISATAP), and the platforms of clouds.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false // what cannot be read is not reached
  const read = ipaddr.process(address)
  if (read.range() !== 'unicast') return false
  if (read instanceof ipaddr.IPv6) return isIn(read, GLOBAL_IPV6) && !isIsatap(read)
  return !CLOUD_PLATFORMS.some((range) => isIn(read, range))
}

/** True for an address of this machine that no other can reach. */
export const isLoopback = (address: string): boolean =>
  ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = [Address, number]

function cidr(text: string): Range {
  return ipaddr.parseCIDR(text) as Range
}

const isIn = (address: Address, [start, bits]: Range) => address.kind() === start.kind() && address.match(start, bits)

/** RFC 5214, 6.1: the interface identifier is ::0:5efe:a.b.c.d or ::200:5efe:a.b.c.d, in a prefix of any network. */
const isIsatap = ({ parts: [, , , , flags, mark] }: ipaddr.IPv6) => (flags === 0 || flags === 0x200) && mark === 0x5efe
