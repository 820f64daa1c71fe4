// Sends one request and prints its outcome as JSON: node separate.js BUCKET/KEY [MODEL [FORMAT]]
//
// It exits with 0 for a result, 1 for a dead letter, and 2 if no outcome came within WAIT_S seconds.

import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import avro from 'avsc'
import kafkajs from 'kafkajs'
import lz4 from 'lz4-napi'
import { decode, encode, readerOf } from './single-object.js'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs

const SCHEMAS = setting('SCHEMAS', '../../schemas')
const REQUESTS = setting('TOPIC_REQUESTS', 'separation.requests')
const RESULTS = setting('TOPIC_RESULTS', 'separation.results')
const DEAD_LETTERS = setting('TOPIC_DEAD_LETTER', 'separation.dead-letter')

// Outcomes are packed with LZ4, which KafkaJS leaves to others.
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }) => lz4.compressFrame(buffer),
  decompress: async (buffer) => lz4.decompressFrame(buffer),
})

async function main (object, model = '2stems', format = 'wav') {
  if (!object?.includes('/')) {
    console.error('usage: node separate.js BUCKET/KEY [MODEL [FORMAT]]')
    return 2
  }
  const id = randomUUID()
  const kafka = new Kafka({
    brokers: setting('KAFKA_BOOTSTRAP_SERVERS', '127.0.0.1:9092').split(','),
    logLevel: logLevel.ERROR,
  })
  // KafkaJS reads in groups alone: this one is ours, and goes again. It reads what is committed, by default.
  const consumer = kafka.consumer({ groupId: `separate-${id}`, maxWaitTimeInMs: 500 })
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  const admin = kafka.admin()
  await Promise.all([consumer.connect(), producer.connect(), admin.connect()])
  try {
    // Before the request is sent: its outcome comes behind these ends, however soon.
    const ends = []
    for (const topic of [RESULTS, DEAD_LETTERS]) {
      for (const { partition, offset } of await admin.fetchTopicOffsets(topic)) ends.push({ topic, partition, offset })
    }
    await consumer.subscribe({ topics: [RESULTS, DEAD_LETTERS] })
    const { eachMessage, outcome } = waitFor(id)
    await consumer.run({ eachMessage })
    for (const end of ends) consumer.seek(end)
    const value = encode(schema('separation_request.avsc'), request(id, object, model, format))
    await producer.send({ topic: REQUESTS, messages: [{ key: id, value }] })
    return await outcome
  } finally {
    await Promise.all([consumer.disconnect(), producer.disconnect()])
    await admin.deleteGroups([`separate-${id}`]).catch(() => {}) // it was empty already
    await admin.disconnect()
  }
}

function request (id, object, model, format) {
  const [bucket, ...key] = object.split('/')
  // Fields that are not given have the schema's defaults.
  return {
    request_id: id,
    source: { bucket, key: key.join('/') },
    model,
    output: { format },
    requested_at: Date.now(),
    metadata: { 'sent-by': 'node' },
  }
}

/** What reads records, and its outcome: 0 once the result is printed, 1 once the dead letter is, 2 if neither comes. */
function waitFor (id) {
  const readers = { [RESULTS]: readersOf('separation_result'), [DEAD_LETTERS]: readersOf('dead_letter') }
  let resolve
  const outcome = new Promise((given) => { resolve = given })
  const timer = setTimeout(() => {
    console.error(`no outcome of ${id} yet; it may still come`)
    resolve(2)
  }, Number(setting('WAIT_S', '600')) * 1000)
  const eachMessage = async ({ topic, partition, message }) => {
    let found
    try {
      found = decode(readers[topic], message.value)
    } catch (error) { // none of ours, or of a later version
      console.error(`${topic} [${partition}] at offset ${message.offset}: ${error.message}`)
      return
    }
    // A dead letter has the key of the record that failed, which may be any: its value says whose it is.
    if (found.request_id !== id) return
    clearTimeout(timer)
    console.log(JSON.stringify(found))
    if (topic === DEAD_LETTERS) console.error(`${found.code}: ${found.message}`)
    resolve(topic === RESULTS ? 0 : 1)
  }
  return { eachMessage, outcome }
}

/** Of an event, by the schema as it is now and as it was before: records of those still lie in the topics. */
function readersOf (event) {
  const now = schema(`${event}.avsc`)
  const folder = join(SCHEMAS, 'earlier')
  const earlier = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(`${event}.`)) : []
  return [now, ...earlier.map((name) => schema(join('earlier', name)))].map((writer) => readerOf(writer, now))
}

function schema (name) {
  return avro.Type.forSchema(JSON.parse(readFileSync(join(SCHEMAS, name), 'utf8')))
}

function setting (name, otherwise) {
  return process.env[name] || otherwise
}

process.exit(await main(...process.argv.slice(2)).catch((error) => {
  console.error(error.message)
  return 2
}))
