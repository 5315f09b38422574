package mask

import "sync"

// maxEvent is the size up to which an event of an event stream is held back until it
// is complete.
const maxEvent = 64 << 10

// Filter masks one body as it passes. The body keeps its length. What it holds back
// depends on how much was written, and in event streams on where events end.
type Filter struct {
	a      *automaton
	state  uint32
	text   []byte // the end of what was written
	sent   int    // how much of text was returned
	spans  []span // of secrets in text
	out    []byte // what was returned last
	masked int

	events *events // nil if the body is not an event stream
}

// span is a part of a text, for the secret in it.
type span struct{ from, to, pattern int }

// filters keeps the buffers of closed filters.
var filters = sync.Pool{New: func() any { return new(Filter) }}

// Body returns a filter for a body, or nil if no secret is long enough to be masked
// in bodies. In an event stream, each event is held back until it is complete. The
// caller must close the filter.
func (m *Mask) Body(eventStream bool) *Filter {
	if !m.Bodies() {
		return nil
	}
	f := filters.Get().(*Filter)
	*f = Filter{a: m.body, text: f.text[:0], out: f.out[:0], spans: f.spans[:0]}
	if eventStream {
		f.events = &events{fresh: true, empty: true}
	}
	return f
}

// Write adds a part of the body and returns what can be sent now. What is returned is
// valid until the next call.
func (f *Filter) Write(part []byte) []byte {
	f.forget()
	written := len(f.text)
	f.text = append(f.text, part...)
	f.state = searchLong(f.a, f.state, part, func(pattern, end int) {
		end += written
		f.masked++
		f.spans = append(f.spans, span{f.a.patterns[pattern].begin(f.text, end), end, pattern})
	})
	ready := len(f.text) - (f.a.longest - 1)
	if f.events != nil {
		if complete := f.events.write(part); complete >= 0 {
			ready = max(ready, written+complete)
		}
		if f.events.length <= maxEvent {
			ready = written + f.events.last
		}
	}
	return f.take(ready)
}

// Rest returns everything that is held back. It is for the end of the body, and for
// when [Filter.Waiting] has been true for too long. The part of a secret that it
// returns is not masked; the rest of it will be.
func (f *Filter) Rest() []byte { return f.take(len(f.text)) }

// Waiting reports whether something is held back that the client must get soon. The
// beginning of an event is not: clients can use nothing of it.
func (f *Filter) Waiting() bool {
	return f.sent < len(f.text) && (f.events == nil || f.events.length > maxEvent)
}

// Masked returns how many secrets were found.
func (f *Filter) Masked() int { return f.masked }

// Close gives the filter's buffers to a later one. The filter must not be used any
// more.
func (f *Filter) Close() { filters.Put(f) }

// take returns text up to a position, masked.
func (f *Filter) take(to int) []byte {
	from := f.sent
	if to <= from {
		return nil
	}
	f.out = append(f.out[:0], f.text[from:to]...)
	for _, s := range f.spans {
		mark := f.a.patterns[s.pattern].mark
		for i := max(s.from, from); i < min(s.to, to); i++ {
			f.out[i-from] = mark
		}
	}
	f.sent = to
	return f.out
}

// forget drops the text that was sent.
func (f *Filter) forget() {
	n := f.sent
	if n == 0 {
		return
	}
	f.text, f.sent = f.text[:copy(f.text, f.text[n:])], 0
	left := f.spans[:0]
	for _, s := range f.spans {
		if s.to > n {
			left = append(left, span{s.from - n, s.to - n, s.pattern})
		}
	}
	f.spans = left
}

// events finds the ends of the events in an event stream (HTML section 9.2.6).
type events struct {
	length int // of the event that is not complete
	last   int // where it began, in the last part written; negative if before

	cr, empty      bool // the last byte was a CR; the line is empty
	fresh, comment bool // nothing of the event was written; it begins with a comment
}

// write adds a part of the stream and returns the position after the last event that
// is complete in it, or -1.
func (e *events) write(part []byte) int {
	complete := -1
	for i, c := range part {
		e.length++
		if e.ends(c) {
			e.length, complete = 0, i+1
		}
	}
	e.last = len(part) - e.length
	return complete
}

// ends reports whether an event ends after the byte. An event ends with an empty
// line; a comment before it, which services send to keep a connection open, counts
// as an event.
func (e *events) ends(c byte) bool {
	switch {
	case c == '\n' && e.cr:
		e.cr = false
		return e.fresh
	case c == '\n' || c == '\r':
		e.cr = c == '\r'
		e.fresh = e.empty || e.comment
		e.empty, e.comment = true, false
		return e.fresh
	}
	e.comment = e.comment || e.fresh && c == ':'
	e.cr, e.empty, e.fresh = false, false, false
	return false
}
