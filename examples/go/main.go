// Sends one request and prints its outcome as JSON: separate BUCKET/KEY [MODEL [FORMAT]]
//
// It exits with 0 for a result, 1 for a dead letter, and 2 if no outcome came within WAIT_S seconds.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 || !strings.Contains(os.Args[1], "/") {
		log.Print("usage: separate BUCKET/KEY [MODEL [FORMAT]]")
		os.Exit(2)
	}
	code, err := separate(append(os.Args[1:], "2stems", "wav")[:3])
	if err != nil {
		log.Print(err)
		code = 2
	}
	os.Exit(code)
}

func separate(arguments []string) (int, error) {
	waitS, err := strconv.Atoi(setting("WAIT_S", "600"))
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(waitS)*time.Second)
	defer cancel()
	requests, results, deadLetters := setting("TOPIC_REQUESTS", "separation.requests"),
		setting("TOPIC_RESULTS", "separation.results"), setting("TOPIC_DEAD_LETTER", "separation.dead-letter")
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(setting("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"), ",")...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // outcomes are published in transactions
	)
	if err != nil {
		return 0, err
	}
	defer client.Close()

	// Where the outcomes' topics end now: the outcome comes behind that, however soon.
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, results, deadLetters)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, err
	}
	client.AddConsumePartitions(ends.KOffsets())

	bucket, key, _ := strings.Cut(arguments[0], "/")
	id := rand.Text()
	asked, err := schema("separation_request.avsc")
	if err != nil {
		return 0, err
	}
	// Fields that are not given have the schema's defaults.
	value, err := asked.AppendSingleObject(nil, map[string]any{
		"request_id":   id,
		"source":       map[string]any{"bucket": bucket, "key": key},
		"model":        arguments[1],
		"output":       map[string]any{"format": arguments[2]},
		"requested_at": time.Now(),
		"metadata":     map[string]string{"sent-by": "go"},
	})
	if err != nil {
		return 0, err
	}
	record := &kgo.Record{Topic: requests, Key: []byte(id), Value: value}
	if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return 0, err
	}
	return wait(ctx, client, id, results)
}

// wait returns 0 once the request's result is printed, and 1 once its dead letter is.
func wait(ctx context.Context, client *kgo.Client, id, results string) (int, error) {
	ofResults, err := versions("separation_result")
	if err != nil {
		return 0, err
	}
	ofLetters, err := versions("dead_letter")
	if err != nil {
		return 0, err
	}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return 0, fmt.Errorf("no outcome of %s yet; it may still come", id)
		}
		for _, failed := range fetches.Errors() {
			return 0, fmt.Errorf("topic %s: %w", failed.Topic, failed.Err)
		}
		for _, record := range fetches.Records() {
			readers, code := ofLetters, 1
			if record.Topic == results {
				readers, code = ofResults, 0
			}
			outcome, err := decode(readers, record.Value)
			if err != nil { // none of ours, or of a later version
				log.Printf("%s [%d] at offset %d: %v", record.Topic, record.Partition, record.Offset, err)
				continue
			}
			// A dead letter has the key of the record that failed, which may be any: its value says whose it is.
			if outcome["request_id"] != id {
				continue
			}
			if code == 1 {
				log.Printf("%s: %s", outcome["code"], outcome["message"])
			}
			return code, json.NewEncoder(os.Stdout).Encode(outcome)
		}
	}
}

func decode(readers []*avro.Schema, value []byte) (map[string]any, error) {
	err := errors.New("it is empty")
	for _, reader := range readers {
		var found map[string]any
		if _, err = reader.DecodeSingleObject(value, &found); err == nil {
			return found, nil
		}
	}
	return nil, err
}

// versions of an event's schema: as it is now, and what reads records that were written by it as it was before.
func versions(event string) ([]*avro.Schema, error) {
	now, err := schema(event + ".avsc")
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(schemas(), "earlier", event+".*.avsc"))
	if err != nil {
		return nil, err
	}
	found := []*avro.Schema{now}
	for _, path := range paths {
		earlier, err := schema(filepath.Join("earlier", filepath.Base(path)))
		if err != nil {
			return nil, err
		}
		reader, err := avro.Resolve(earlier, now)
		if err != nil {
			return nil, err
		}
		found = append(found, reader)
	}
	return found, nil
}

func schema(name string) (*avro.Schema, error) {
	text, err := os.ReadFile(filepath.Join(schemas(), name))
	if err != nil {
		return nil, err
	}
	return avro.Parse(string(text))
}

func schemas() string {
	return setting("SCHEMAS", "../../schemas")
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
