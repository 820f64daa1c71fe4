// Has one song separated over HTTP and fetches its stems: separate-http FILE|BUCKET/KEY [MODEL [FORMAT]]
//
// A file that is there is sent along; anything else names an object. The stems are written into the folder STEMS
// (stems), and the job is printed as JSON. It exits with 0 for a success, 1 for a job that has failed, 2 otherwise.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type job struct {
	ID     string
	State  string
	Done   bool
	Result struct{ Stems []stem }
}

type stem struct{ Name, Key, SHA256 string }

type gateway struct {
	address, key string
	http         *http.Client
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Print("usage: separate-http FILE|BUCKET/KEY [MODEL [FORMAT]]")
		os.Exit(2)
	}
	code, err := run(append(os.Args[1:], "2stems", "wav")[:3])
	if err != nil {
		log.Print(err)
		code = 2
	}
	os.Exit(code)
}

func run(arguments []string) (int, error) {
	g := gateway{setting("SPLEETER_API_URL", "http://127.0.0.1:8080"), os.Getenv("SPLEETER_API_KEY"), &http.Client{}}
	// A stem may be answered by a link into the object store: the key is the gateway's alone.
	g.http.CheckRedirect = func(request *http.Request, _ []*http.Request) error {
		request.Header.Del("X-API-KEY")
		return nil
	}
	shown, err := g.send(arguments[0], arguments[1], arguments[2])
	found := job{}
	for err == nil {
		if err = json.Unmarshal(shown, &found); err != nil || found.Done {
			break
		}
		// It waits for the end, for a minute; where it can't wait, so do we.
		time.Sleep(200 * time.Millisecond)
		shown, err = g.ask("GET", "/v1/separations/"+found.ID, nil, map[string]string{"Prefer": "wait=60"})
	}
	if err != nil {
		return 0, err
	}
	os.Stdout.Write(append(shown, '\n'))
	if found.State != "succeeded" {
		return 1, nil
	}
	return 0, g.fetch(found, setting("STEMS", "stems"))
}

// send asks for a separation. However often it is sent under its key, it is one job.
func (g gateway) send(source, model, format string) ([]byte, error) {
	asked := map[string]any{"model": model, "output": map[string]string{"format": format}}
	headers := map[string]string{"Idempotency-Key": rand.Text(), "Prefer": "wait=60", "Content-Type": "application/json"}
	file, err := os.Open(source)
	if err != nil {
		bucket, key, isObject := strings.Cut(source, "/")
		if !isObject {
			return nil, err
		}
		asked["source"] = map[string]string{"bucket": bucket, "key": key}
		body, _ := json.Marshal(asked)
		return g.ask("POST", "/v1/separations", bytes.NewReader(body), headers)
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return nil, err
	}
	// In two parts, the request first; the file is read as it is sent, and never held as a whole.
	var before bytes.Buffer
	form := multipart.NewWriter(&before)
	headers["Content-Type"] = form.FormDataContentType()
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="request"`}, "Content-Type": {"application/json"},
	})
	if err == nil {
		err = json.NewEncoder(part).Encode(asked)
	}
	if err == nil {
		_, err = form.CreateFormFile("file", filepath.Base(source))
	}
	if err != nil {
		return nil, err
	}
	behind := "\r\n--" + form.Boundary() + "--\r\n"
	headers["Content-Length"] = fmt.Sprint(int64(before.Len()) + about.Size() + int64(len(behind)))
	return g.ask("POST", "/v1/separations", io.MultiReader(&before, file, strings.NewReader(behind)), headers)
}

// fetch writes the stems into a folder; each has to be what its digest says.
func (g gateway) fetch(found job, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, stem := range found.Result.Stems {
		data, err := g.ask("GET", "/v1/separations/"+found.ID+"/stems/"+stem.Name, nil, nil)
		if err != nil {
			return err
		}
		if digest := sha256.Sum256(data); hex.EncodeToString(digest[:]) != stem.SHA256 {
			return fmt.Errorf("%s did not come as it was stored", stem.Name)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(stem.Key)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ask returns the body of an answer; a problem is an error with its words.
func (g gateway) ask(method, path string, body io.Reader, headers map[string]string) ([]byte, error) {
	request, err := http.NewRequest(method, g.address+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-API-KEY", g.key)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	if length := headers["Content-Length"]; length != "" { // of a body whose length the library can't tell
		request.ContentLength, err = strconv.ParseInt(length, 10, 64)
		if err != nil {
			return nil, err
		}
	}
	answer, err := g.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", answer.Status, data)
	}
	return data, err
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
