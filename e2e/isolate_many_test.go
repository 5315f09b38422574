package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// atOnce is how many connections of manyClient are open at a time.
const atOnce = 200

// manyClient makes as many requests as each line of standard input says, each on a new
// connection to the real port, and then prints how many it made.
func manyClient() {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		n, err := strconv.Atoi(in.Text())
		check(err)
		work := make(chan int)
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				for range work {
					response, err := client.Get(routeURL)
					check(err)
					response.Body.Close()
					if response.StatusCode != http.StatusOK {
						panic(response.Status)
					}
				}
			})
		}
		for i := range n {
			work <- i
		}
		close(work)
		all.Wait()
		fmt.Println("made", n)
	}
}

// manyConnections is how many connections TestIsolatedMany makes.
func manyConnections(t *testing.T) int {
	t.Helper()
	text := os.Getenv("AUTHSOME_ISOLATED_CONNECTIONS")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("AUTHSOME_ISOLATED_CONNECTIONS: %v", err)
	}
	return n
}

// few descriptors more than before may stay open, such as those of idle connections to the
// service. What is lost with each connection, or with one of a hundred, is more.
const few = 8

// TestIsolatedMany makes many connections without a proxy. All must be served, and the
// proxy must not have more descriptors open for them afterwards.
func TestIsolatedMany(t *testing.T) {
	t.Parallel()
	n := manyConnections(t)
	r := newNobodyRig(t)
	r.timeout = 10 * time.Minute
	client := r.startInside("many", nil)
	request := func(n int) {
		t.Helper()
		fmt.Fprintln(client.stdin, n)
		client.waitFor(t, fmt.Sprint("made ", n))
	}
	request(atOnce) // what stays open for later requests is open now
	before := client.settledDescriptors(t, 1<<10)
	start := time.Now()
	request(n)
	t.Logf("%d connections in %.1f s", n, time.Since(start).Seconds())
	client.settledDescriptors(t, before+few)
	client.end(t)
	authorized := 0
	for _, a := range r.arrivals() {
		if a.Authorized && a.Host == routeHost {
			authorized++
		}
	}
	if authorized != n+atOnce {
		t.Errorf("%d of %d requests arrived with the credential", authorized, n+atOnce)
	}
}

// settledDescriptors waits until the run has at most as many descriptors open, and until
// their number stays the same for a while, and returns it.
func (i *inside) settledDescriptors(t *testing.T, most int) int {
	t.Helper()
	last, same := -1, 0
	for deadline := time.Now().Add(limit); same < 20; time.Sleep(20 * time.Millisecond) { // between checks of another process
		open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", i.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == last && last <= most {
			same++
		} else {
			last, same = len(open), 0
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors are open, and not %d", last, most)
		}
	}
	return last
}
