import { expect, test } from 'vitest';
import { mayReach, readAddressRules } from './addresses.ts';

const closed = readAddressRules([]);

test.each([
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:0:7f00:1',
  '64:ff9b::7f00:1',
  '64:ff9b::a00:1',
  '64:ff9b:1::7f00:1',
  '2002:7f00:1::',
  '2001::1',
  '2001:db8::1',
  '3fff::1',
  '100::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  'not an address',
  '',
])('%s is not public', (address) => {
  expect(mayReach(closed, 'photos.example', address)).toBe(false);
});

test.each(['1.2.3.4', '8.8.8.8', '172.32.0.1', '::ffff:8.8.8.8', '64:ff9b::808:808', '2606:4700::1111'])(
  '%s is public',
  (address) => {
    expect(mayReach(closed, 'photos.example', address)).toBe(true);
  },
);

test.each([
  ['10.1.0.0/16', 'x', '10.1.2.3', true],
  ['10.1.0.0/16', 'x', '10.2.0.1', false],
  ['10.1.2.3', 'x', '10.1.2.3', true],
  ['10.1.2.3', 'x', '10.1.2.4', false],
  ['10.1.0.0/16', 'x', '::ffff:10.1.2.3', true],
  ['fd00::/8', 'x', 'fd00::1', true],
  ['[fd00::1]', 'x', 'fd00::1', true],
  ['fd00::/8', 'x', '10.0.0.1', false],
  ['nas.home', 'nas.home', '192.168.1.5', true],
  ['nas.home', 'NAS.home.', '192.168.1.5', true],
  ['nas.home', 'evil.nas.home', '192.168.1.5', false],
])('with %s allowed, %s at %s: %s', (entry, host, address, expected) => {
  expect(mayReach(readAddressRules([entry]), host, address)).toBe(expected);
});

test.each(['10.0.0.0/33', '10.0.0', 'http://nas', 'a b', '', '*.home'])(
  '%j is no entry for the list',
  (entry) => {
    expect(() => readAddressRules([entry])).toThrow('neither a host name');
  },
);
