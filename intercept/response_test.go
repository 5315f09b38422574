package intercept

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// Each event is sent only after the client has reported the previous one, so the
// test hangs if anything buffers.
func TestEventsAreNotBuffered(t *testing.T) {
	for _, name := range []string{"http1", "http2"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			reported := make(chan int)
			r.handle(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range 20 {
					fmt.Fprintf(w, "data: %d\n\n", i)
					w.(http.Flusher).Flush()
					select {
					case <-reported:
					case <-time.After(limit):
						return
					}
				}
			})
			c := r.client()
			if name == "http1" {
				c = r.http1()
			}
			response, err := c.Get("https://" + routedHost + "/events")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			events := bufio.NewScanner(response.Body)
			for i := range 20 {
				if !events.Scan() || events.Text() != fmt.Sprint("data: ", i) || !events.Scan() {
					t.Fatalf("event %d: %q, %v", i, events.Text(), events.Err())
				}
				reported <- i
			}
		})
	}
}

// A response that the upstream ended early must not look complete to the client.
func TestIncompleteResponseIsIncompleteForTheClient(t *testing.T) {
	r := newRig(t, nil)
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	for _, c := range []*http.Client{r.client(), r.http1(), r.absolute()} {
		response, err := c.Get("https://" + routedHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("%s: read %q without an error", response.Proto, b)
		}
		response.Body.Close()
		if x := r.next(); !x.Aborted {
			t.Errorf("recorded %+v", x)
		}
	}
}
