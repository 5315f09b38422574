package isolate

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// maxListed limits how much of a list of sockets is read, in bytes. The kernel lists
// listening sockets first: 7,000 of them fit, however many connections there are.
const maxListed = 1 << 20

// listeningPorts are the ports of this machine's loopback at which TCP servers listen. The
// zero value is ready to use, and its methods may be called at the same time.
type listeningPorts struct {
	mu    sync.Mutex
	ports []int
	read  time.Time
}

// has reports whether a server listens at a port. What it knows is a second old at most.
func (l *listeningPorts) has(port int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.read) > time.Second {
		l.ports = nil
		for _, path := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
			// Without the list, a report has less in it.
			l.ports = append(l.ports, parseListening(regular.ReadBeginning(path, maxListed))...)
		}
		l.read = time.Now()
	}
	return slices.Contains(l.ports, port)
}

// stateListening is that of a listening socket in a list of the kernel.
const stateListening = "0A"

// parseListening returns the ports of the sockets that listen at loopback, or at all
// addresses, in the kernel's list of TCP sockets (proc_net_tcp.rst in its documentation):
//
//	sl  local_address rem_address   st tx_queue rx_queue …
//	 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 …
func parseListening(list []byte) []int {
	var ports []int
	for line := range bytes.Lines(list) {
		fields := bytes.Fields(line)
		if len(fields) < 4 || string(fields[3]) != stateListening {
			continue
		}
		address, port, _ := strings.Cut(string(fields[1]), ":")
		number, err := strconv.ParseUint(port, 16, 16)
		if a := parseListed(address); err == nil && (a.IsLoopback() || a.IsUnspecified()) {
			ports = append(ports, int(number))
		}
	}
	return ports
}

// parseListed returns an address of the kernel's list, where each four bytes of it are a
// hexadecimal number in the byte order of this machine. An invalid one gives the zero Addr.
func parseListed(text string) netip.Addr {
	var b []byte
	for word := range slices.Chunk([]byte(text), 8) {
		v, err := strconv.ParseUint(string(word), 16, 32)
		if err != nil {
			return netip.Addr{}
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}
