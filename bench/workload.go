package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// workload is what clients repeat during a window.
type workload struct {
	name     string
	title    string
	host     string
	path     string
	parallel int
	http2    bool // between client and proxy; otherwise HTTP/1.1
	fresh    bool // a new connection for each request
	blind    bool // also makes sense for a proxy that only copies bytes
	slow     bool // also run with slow peers
	// read reads a response body and returns the start and the end of the latency.
	// A zero start means the start of the request.
	read  func(body io.Reader) (from, to time.Time, err error)
	event bool // the latency is that of the first event
}

func workloads(s settings) []workload {
	small := readExactly(smallSize)
	many := strconv.Itoa(s.parallel)
	return []workload{
		{name: "get-1", title: "1 KB response, HTTP/1.1, 1 keep-alive connection", host: hostHTTP1, path: pathSmall, parallel: 1, blind: true, slow: true, read: small},
		{name: "get-many", title: "1 KB response, HTTP/1.1, " + many + " keep-alive connections", host: hostHTTP1, path: pathSmall, parallel: s.parallel, blind: true, slow: true, read: small},
		{name: "get-many-mixed", title: "1 KB response, HTTP/1.1 to an HTTP/2 upstream, " + many + " keep-alive connections", host: hostHTTP2, path: pathSmall, parallel: s.parallel, read: small},
		{name: "h2-many", title: "1 KB response, HTTP/2, 1 connection, " + many + " streams", host: hostHTTP2, path: pathSmall, parallel: s.parallel, http2: true, blind: true, read: small},
		{name: "connect", title: "1 KB response, HTTP/1.1, a new connection each time, 4 at once", host: hostHTTP1, path: pathSmall, parallel: 4, fresh: true, blind: true, slow: true, read: small},
		{name: "download", title: size(s.big) + " response, HTTP/1.1, 2 keep-alive connections", host: hostHTTP1, path: pathBig + "?n=" + strconv.FormatInt(s.big, 10), parallel: 2, blind: true, slow: true, read: readExactly(s.big)},
		{name: "json", title: size(s.big) + " response of JSON, in which authsome masks secrets, HTTP/1.1, 2 keep-alive connections", host: hostHTTP1, path: pathJSON + "?n=" + strconv.FormatInt(s.big, 10), parallel: 2, blind: true, read: readExactly(s.big)},
		{name: "events", title: "server-sent events, HTTP/1.1, 1 keep-alive connection; latency is that of the first event", host: hostHTTP1, path: pathEvents, parallel: 1, blind: true, slow: true, read: readEvents, event: true},
	}
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads(settings{}) {
		names = append(names, w.name)
	}
	return names
}

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// suits reports whether a workload makes sense for a peer.
func (w workload) suits(p peer) bool {
	return (!p.blind || w.blind) && (!w.http2 || p.http2) && (!p.slow || w.slow)
}

// readExactly returns a function that reads a body of a known length.
func readExactly(length int64) func(io.Reader) (from, to time.Time, err error) {
	return func(body io.Reader) (from, to time.Time, err error) {
		n, err := io.Copy(io.Discard, body)
		switch {
		case err != nil:
			err = fmt.Errorf("read a response: %w", err)
		case n != length:
			err = fmt.Errorf("the response has %d bytes instead of %d", n, length)
		}
		return time.Time{}, time.Now(), err
	}
}

// readEvents reads a stream. Its first event is the time at which it was sent; all
// processes use the same clock.
func readEvents(body io.Reader) (from, to time.Time, err error) {
	reader := bufio.NewReader(body)
	line, err := reader.ReadString('\n')
	to = time.Now()
	if err != nil {
		return from, to, fmt.Errorf("read an event: %w", err)
	}
	sent, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(line), "data: "), 10, 64)
	if err != nil {
		return from, to, fmt.Errorf("the first event is %q", line)
	}
	if _, err := io.Copy(io.Discard, reader); err != nil {
		return from, to, fmt.Errorf("read the rest of a stream: %w", err)
	}
	return time.Unix(0, sent), to, nil
}

// ask makes one request and returns its latency.
func (w workload) ask(c client, get func() (*http.Response, error)) (time.Duration, error) {
	start := time.Now()
	response, err := get()
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 512))
		return 0, fmt.Errorf("response %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	from, to, err := w.read(response.Body)
	if err != nil {
		return 0, err
	}
	if from.IsZero() {
		from = start
	}
	if w.fresh {
		c.Close()
	}
	// Round(0) drops the monotonic readings, because from may have none.
	return to.Round(0).Sub(from.Round(0)), nil
}
