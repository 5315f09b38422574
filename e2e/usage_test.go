package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// usage is what a proxy has open and in use, by its own metrics.
type usage struct {
	goroutines, descriptors, connections, tunnels int
	memory                                        int // resident, in kB
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d connections, %d tunnels, %d MB", u.goroutines, u.descriptors, u.connections, u.tunnels, u.memory>>10)
}

func (p *proxyProcess) usage() usage {
	p.t.Helper()
	values := make(map[string]int)
	for line := range strings.Lines(string(p.get("/metrics"))) {
		if name, text, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			if value, err := strconv.ParseFloat(text, 64); err == nil {
				values[name] = int(value)
			}
		}
	}
	return usage{
		goroutines: values["go_goroutines"], descriptors: values["process_open_fds"], memory: values["process_resident_memory_bytes"] >> 10,
		connections: values["authsome_active_connections"], tunnels: values["authsome_active_tunnels"],
	}
}

// settles waits until the proxy, without clients, has no more open than before. The Go
// runtime starts a goroutine or two when it first needs them.
func (p *proxyProcess) settles(t *testing.T, before usage) usage {
	t.Helper()
	var now usage
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		now = p.usage()
		if now.connections <= before.connections && now.tunnels <= before.tunnels && now.goroutines <= before.goroutines+2 && now.descriptors <= before.descriptors {
			return now
		}
		if time.Now().After(deadline) {
			t.Errorf("left open: %v; before: %v", now, before)
			return now
		}
	}
}
