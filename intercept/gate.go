package intercept

import "sync"

// gate counts what is being handled. Closing it waits for that to end and keeps
// everything later out. Unlike with a WaitGroup, enter may run at the same time as
// close. It costs a request two atomic additions.
type gate struct {
	mu     sync.RWMutex // held for reading while something is handled
	closed bool
}

// enter reports whether the gate is open. If it is, the caller must leave.
func (g *gate) enter() bool {
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return false
	}
	return true
}

func (g *gate) leave() { g.mu.RUnlock() }

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}
