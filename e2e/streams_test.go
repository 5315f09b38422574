package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// httpClient returns a client for HTTP/1.1 if E2E_PROTO says so, and otherwise one
// that negotiates HTTP/2.
func httpClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if os.Getenv("E2E_PROTO") == "HTTP/1.1" {
		transport.ForceAttemptHTTP2 = false
		transport.TLSClientConfig = nil
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	}
	return &http.Client{Transport: transport}
}

func goClient() {
	q, err := http.NewRequest("GET", "https://"+routeHost+"/x", nil)
	check(err)
	q.Header.Set("Authorization", "Bearer "+os.Getenv(variable))
	response, err := httpClient().Do(q)
	check(err)
	io.Copy(os.Stdout, response.Body)
}

func eventsClient() {
	response, err := httpClient().Get("https://" + routeHost + "/events")
	check(err)
	lines := bufio.NewScanner(response.Body)
	n := 0
	for lines.Scan() {
		if lines.Text() == fmt.Sprint("data: ", n) {
			report(os.Getenv("E2E_CONTROL"), "event-seen", n)
			n++
		}
	}
	fmt.Println(response.Proto, n)
}

func chunksClient() {
	reader, writer := io.Pipe()
	go func() {
		for n := range 20 {
			fmt.Fprintln(writer, n)
			report(os.Getenv("E2E_CONTROL"), "wait-chunk", n)
		}
		writer.Close()
	}()
	response, err := httpClient().Post("https://"+routeHost+"/chunks", "text/plain", reader)
	check(err)
	fmt.Println(response.Proto, response.StatusCode)
}

// TestStreamsAreNotBuffered fails if the proxy buffers: each side sends the next part
// only when the other has received the previous one.
func TestStreamsAreNotBuffered(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		r := newRig(t)
		if out := strings.TrimSpace(r.self("events", "E2E_PROTO="+proto)); out != proto+" 20" {
			t.Errorf("events over %s: %q", proto, out)
		}
		if out := strings.TrimSpace(r.self("chunks", "E2E_PROTO="+proto)); out != proto+" 200" {
			t.Errorf("chunks over %s: %q", proto, out)
		}
	}
}

func socketClient() {
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, "wss://"+routeHost+"/socket", nil)
	check(err)
	c.SetReadLimit(16 << 20)
	sent := make([]byte, 5<<20)
	rand.Read(sent)
	go func() { check(c.Write(ctx, websocket.MessageBinary, sent)) }()
	kind, got, err := c.Read(ctx)
	check(err)
	fmt.Println(kind == websocket.MessageBinary && bytes.Equal(got, sent))
	check(c.Close(websocket.StatusNormalClosure, "done"))
}

func TestWebSocket(t *testing.T) {
	r := newRig(t)
	if out := strings.TrimSpace(r.self("socket")); out != "true" {
		t.Errorf("echo of 5 MB: %q", out)
	}
	r.wantOnce("HTTP/1.1")
}

// transferClient downloads and uploads E2E_BYTES, and prints the proxy's peak memory
// in kB.
func transferClient() {
	n, err := strconv.ParseInt(os.Getenv("E2E_BYTES"), 10, 64)
	check(err)
	host := os.Getenv("E2E_HOST")
	c := httpClient()
	response, err := c.Get(fmt.Sprintf("https://%s/down?n=%d", host, n))
	check(err)
	got, err := io.Copy(io.Discard, response.Body)
	check(err)
	response, err = c.Post("https://"+host+"/up", "application/octet-stream", io.LimitReader(zeros{}, n))
	check(err)
	answer, err := io.ReadAll(response.Body)
	check(err)
	if got != n || string(answer) != fmt.Sprint(n) {
		panic(fmt.Sprintf("%d down, %s up", got, answer))
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", os.Getppid()))
	check(err)
	for line := range strings.Lines(string(status)) {
		if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Println(strings.TrimSuffix(strings.TrimSpace(peak), " kB"))
		}
	}
}

// TestMemoryOfTransfers checks that the proxy's memory does not grow with the size of
// a transfer.
func TestMemoryOfTransfers(t *testing.T) {
	bytes := os.Getenv("AUTHSOME_E2E_BYTES")
	if bytes == "" {
		bytes = fmt.Sprint(256 << 20)
	}
	const bound = 100 << 10 // kB
	for _, host := range []string{routeHost, otherHost} {
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
			r := newRig(t)
			r.timeout = 10 * time.Minute
			peak, err := strconv.Atoi(strings.TrimSpace(r.self("transfer", "E2E_BYTES="+bytes, "E2E_HOST="+host, "E2E_PROTO="+proto)))
			if err != nil || peak > bound {
				t.Errorf("%s over %s: peak memory %d kB, %v", host, proto, peak, err)
			}
			t.Logf("%s over %s: %s bytes each way, peak memory %d kB", host, proto, bytes, peak)
		}
	}
}

// hold prints where the run's files are, and waits to be killed.
func hold() {
	fmt.Println(filepath.Dir(os.Getenv("SSL_CERT_FILE")))
	select {}
}
