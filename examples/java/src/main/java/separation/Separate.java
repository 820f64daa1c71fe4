package separation;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends one request and prints its outcome as JSON: Separate BUCKET/KEY [MODEL [FORMAT]].
 *
 * <p>It exits with 0 for a result, 1 for a dead letter, and 2 if no outcome came within WAIT_S seconds.
 */
public final class Separate {
  private static final Path SCHEMAS = Path.of(setting("SCHEMAS", "../../schemas"));
  private static final String RESULTS = setting("TOPIC_RESULTS", "separation.results");
  private static final String DEAD_LETTERS = setting("TOPIC_DEAD_LETTER", "separation.dead-letter");
  private static final Map<String, Object> KAFKA =
      Map.of("bootstrap.servers", setting("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"));

  public static void main(String[] arguments) {
    if (arguments.length < 1 || !arguments[0].contains("/")) {
      System.err.println("usage: Separate BUCKET/KEY [MODEL [FORMAT]]");
      System.exit(2);
    }
    try {
      System.exit(separate(arguments));
    } catch (Exception error) {
      System.err.println(error);
      System.exit(2);
    }
  }

  private static int separate(String[] arguments) throws Exception {
    String model = arguments.length > 1 ? arguments[1] : "2stems";
    String format = arguments.length > 2 ? arguments[2] : "wav";
    String id = UUID.randomUUID().toString();
    try (var consumer = new KafkaConsumer<>(reading(), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      goToEnds(consumer); // before the request is sent: its outcome comes behind that, however soon
      send(id, request(id, arguments[0], model, format));
      return await(consumer, id);
    }
  }

  private static GenericRecord request(String id, String object, String model, String format) throws IOException {
    Schema schema = schema(SCHEMAS.resolve("separation_request.avsc"));
    String[] place = object.split("/", 2);
    var source = new GenericRecordBuilder(schema.getField("source").schema()).set("bucket", place[0]);
    var output = new GenericRecordBuilder(schema.getField("output").schema()).set("format", format);
    // Fields that are not set have the schema's defaults.
    return new GenericRecordBuilder(schema)
        .set("request_id", id)
        .set("source", source.set("key", place[1]).build())
        .set("model", model)
        .set("output", output.build())
        .set("requested_at", Instant.now().toEpochMilli())
        .set("metadata", Map.of("sent-by", "java"))
        .build();
  }

  private static void send(String id, GenericRecord request) throws Exception {
    ByteBuffer encoded = new BinaryMessageEncoder<GenericRecord>(GenericData.get(), request.getSchema()).encode(request);
    byte[] value = new byte[encoded.remaining()];
    encoded.get(value);
    String topic = setting("TOPIC_REQUESTS", "separation.requests");
    try (var producer = new KafkaProducer<>(KAFKA, new ByteArraySerializer(), new ByteArraySerializer())) {
      producer.send(new ProducerRecord<>(topic, id.getBytes(StandardCharsets.UTF_8), value)).get();
    }
  }

  private static Map<String, Object> reading() {
    var properties = new HashMap<>(KAFKA);
    properties.put("isolation.level", "read_committed"); // outcomes are published in transactions
    return properties;
  }

  private static void goToEnds(KafkaConsumer<byte[], byte[]> consumer) {
    List<TopicPartition> partitions = new ArrayList<>();
    for (String topic : List.of(RESULTS, DEAD_LETTERS)) {
      consumer.partitionsFor(topic).forEach(found -> partitions.add(new TopicPartition(topic, found.partition())));
    }
    consumer.assign(partitions); // all of them, and no group
    consumer.endOffsets(partitions).forEach(consumer::seek);
  }

  /** Returns 0 once the request's result is printed, and 1 once its dead letter is. */
  private static int await(KafkaConsumer<byte[], byte[]> consumer, String id) throws IOException {
    var decoders =
        Map.of(RESULTS, decoder("separation_result"), DEAD_LETTERS, decoder("dead_letter"));
    Instant until = Instant.now().plusSeconds(Long.parseLong(setting("WAIT_S", "600")));
    while (Instant.now().isBefore(until)) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
        GenericRecord outcome = decode(decoders.get(record.topic()), record);
        // A dead letter has the key of the record that failed, which may be any: its value says whose it is.
        if (outcome == null || !id.equals(String.valueOf(outcome.get("request_id")))) {
          continue;
        }
        System.out.println(outcome);
        if (record.topic().equals(RESULTS)) {
          return 0;
        }
        System.err.println(outcome.get("code") + ": " + outcome.get("message"));
        return 1;
      }
    }
    System.err.println("no outcome of " + id + " yet; it may still come");
    return 2;
  }

  /** Null for what can't be read, which is none of ours, or of a later version. */
  private static GenericRecord decode(
      BinaryMessageDecoder<GenericRecord> decoder, ConsumerRecord<byte[], byte[]> record) {
    try {
      return decoder.decode(record.value());
    } catch (IOException | RuntimeException error) {
      System.err.printf("%s [%d] at offset %d: %s%n", record.topic(), record.partition(), record.offset(), error);
      return null;
    }
  }

  /** Of an event as its schema is now, and as it was before: records of those still lie in the topics. */
  private static BinaryMessageDecoder<GenericRecord> decoder(String event) throws IOException {
    var decoder = new BinaryMessageDecoder<GenericRecord>(GenericData.get(), schema(SCHEMAS.resolve(event + ".avsc")));
    try (var earlier = Files.newDirectoryStream(SCHEMAS.resolve("earlier"), event + ".*.avsc")) {
      for (Path path : earlier) {
        decoder.addSchema(schema(path));
      }
    }
    return decoder;
  }

  private static Schema schema(Path path) throws IOException {
    return new Schema.Parser().parse(path.toFile());
  }

  private static String setting(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : value;
  }
}
