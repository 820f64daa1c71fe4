// Avro's single-object encoding, which avsc does not bring: two bytes, the schema's fingerprint, the value.
// https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding

const MARKER = Buffer.from([0xc3, 0x01])
const EMPTY = 0xc15d213aa4d7a795n

/** CRC-64-AVRO of the schema's canonical form, which is what avsc's `schema()` gives; little-endian. */
export function fingerprint (type) {
  let crc = EMPTY
  for (const byte of Buffer.from(JSON.stringify(type.schema()))) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? EMPTY : 0n)
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(crc)
  return bytes
}

export function encode (type, value) {
  return Buffer.concat([MARKER, fingerprint(type), type.toBuffer(value)])
}

/** What reads values that were written by one schema, as another one has them. */
export function readerOf (writer, reader) {
  return { header: Buffer.concat([MARKER, fingerprint(writer)]), writer, reader, resolver: reader.createResolver(writer) }
}

export function decode (readers, bytes) {
  const found = readers.find(({ header }) => header.equals(bytes.subarray(0, header.length)))
  if (!found) throw new Error('it is of no schema that is known here')
  return found.reader.fromBuffer(bytes.subarray(found.header.length), found.resolver)
}
