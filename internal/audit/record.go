package audit

import (
	"context"
	"fmt"
)

// Record adds an event to the log. It does not wait for the disk: the event is
// written shortly afterwards, or counted as dropped. Use [Log.Flush] to wait.
func (l *Log) Record(e Event) {
	var lost error
	l.mu.Lock()
	switch {
	case l.closing:
		lost = fmt.Errorf("%s: %w", l.path, errClosed)
	case len(l.pending) < queueLimit:
		l.add(entry{Event: e})
	default:
		l.dropped++
		if !l.dropping {
			l.dropping = true
			lost = fmt.Errorf("%s: %w", l.path, errDropped)
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

// add queues an entry. The caller holds mu, so that times are in the order of the
// chain.
func (l *Log) add(e entry) {
	e.at = l.now()
	l.pending = append(l.pending, e)
	l.accepted++
}

// addDropped queues an entry with the number of dropped events, unless it is 0.
// The caller holds mu.
func (l *Log) addDropped() {
	if l.dropped > 0 {
		l.add(entry{Event: Event{Event: Dropped, Count: l.dropped}})
		l.dropped = 0
	}
}

// Err returns the current failure of the log, or nil while events reach the file.
// It is cheap enough to call before each request.
func (l *Log) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Flush waits until all events that were recorded before the call are on the disk,
// an attempt to write them has failed, or ctx is done.
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

// Close ends the chain, writes the queue and closes the file. If the disk fails, it
// tries once more and then gives up; if the disk stalls, it waits. A second Close
// waits for the first and returns the same error.
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

// signal wakes the receiver of c. Signals that were not received yet count as one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
