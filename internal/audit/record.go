package audit

import (
	"context"
	"fmt"
)

// Record adds an event to the log. It does not wait for the disk: the event is
// written shortly after, or counted as dropped. [Log.Flush] waits.
func (l *Log) Record(e Event) {
	var lost error
	l.mu.Lock()
	switch {
	case l.closing:
		lost = fmt.Errorf("%s: %w", l.path, ErrClosed)
	case len(l.pending) < queueLimit:
		l.add(entry{Event: e})
	default:
		l.dropped++
		if !l.dropping {
			l.dropping = true
			lost = fmt.Errorf("%s: %w", l.path, ErrDropped)
			l.failure.CompareAndSwap(nil, &lost)
		}
	}
	l.mu.Unlock()
	if lost != nil {
		l.fail(lost)
		return
	}
	signal(l.wake)
}

// add queues an entry, with the time in the order of the chain. It is called
// with mu held.
func (l *Log) add(e entry) {
	e.at = l.now()
	l.pending = append(l.pending, e)
	l.accepted++
}

// addDropped queues an entry for what was dropped, if anything was. It is called
// with mu held.
func (l *Log) addDropped() {
	if l.dropped > 0 {
		l.add(entry{Event: Event{Event: dropped}, count: l.dropped})
		l.dropped = 0
	}
}

// Err is what is wrong with the log now, and nil while events reach the file. It
// is cheap enough to be asked before each request.
func (l *Log) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Flush waits until all events recorded before the call are on the disk, or an
// attempt to write them has failed, or ctx ends.
func (l *Log) Flush(ctx context.Context) error {
	l.mu.Lock()
	target, tried := l.accepted, l.attempts
	l.mu.Unlock()
	for {
		l.mu.Lock()
		durable, attempts, lastErr, changed := l.durable, l.attempts, l.lastErr, l.changed
		l.mu.Unlock()
		switch {
		case durable >= target:
			return nil
		case attempts > tried && lastErr != nil:
			return lastErr
		}
		signal(l.urgent)
		select {
		case <-changed:
		case <-l.done:
			return l.closeErr
		case <-ctx.Done():
			return fmt.Errorf("flush %s: %w", l.path, ctx.Err())
		}
	}
}

// Close ends the chain, writes what is queued and closes the file. A disk that
// fails is tried once more and then given up; one that stalls is waited for. A
// second Close waits for the first and returns what it returned.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closing {
		l.closing = true
		l.addDropped()
		l.add(entry{Event: Event{Event: End}})
	}
	l.mu.Unlock()
	signal(l.urgent)
	<-l.done
	return l.closeErr
}

// signal wakes the receiver of c, once for any number of signals.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
