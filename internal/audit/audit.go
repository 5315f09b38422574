// Package audit writes the audit log, reads it, and checks that it is as it was
// written: who used or changed which credential, when, and how it ended. It is
// never given a secret, and cuts what comes after a path.
//
// The file holds JSON lines, from any number of processes at once:
//
//	{"time":…,"run":…,"seq":1,"prev":"","event":"login",…,"mac":…}
//
// A run is one process. Its lines form a chain: seq counts from 1 without gaps,
// prev is the SHA-256 of the run's previous line, as hex, without the newline.
// The chain ends with the event "end"; one that does not is either still being
// written, was killed, or has lost its tail, and nothing in the file tells these
// apart. Where a key is given, mac is the HMAC-SHA256, as hex, of the line up to
// and without `,"mac"`; without one the chain shows accidents, not forgery.
// Durations are in seconds. A line that is no JSON is the torn end of a write
// that failed, and was written again whole; empty lines mean nothing.
//
// A file that is full is set aside as audit-TIME.log, and the chains go on in the
// next one.
//
// A caller is never made to wait for a disk: [Log.Record] puts an event into a
// bounded queue. While the disk fails or stalls the queue is kept and writing is
// tried again. When it is full, events are counted instead of kept: this is
// reported at once, makes [Log.Err] fail so that whoever must not go on without
// an audit trail can stop, and leaves a "dropped" event with the count in the
// chain. The invariant: an event is in the file, or counted there, or the chain
// has no end.
package audit

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrDropped says that events were counted instead of written, because the
// queue was full.
var ErrDropped = errors.New("audit queue full: events are being dropped")

// ErrClosed says that an event came after Close, and is lost.
var ErrClosed = errors.New("audit log closed")

// Options configure a [Log].
type Options struct {
	Key     []byte           // makes the lines' MACs; if empty, they have none
	Actor   string           // written to each line; may be empty
	Run     string           // names the chain; if empty, a random one
	Now     func() time.Time // if nil, time.Now
	MaxSize int64            // from which the file is set aside and another one begun, in bytes; 0 means 64 MiB
	OnError func(error)      // told once about each episode of failure or loss, from any goroutine; must not block
}

const (
	// queueLimit is about a second of a busy proxy's requests.
	queueLimit = 8192
	// gather is how long an event waits for others to share a write with, and so
	// the most that a killed process loses on a healthy disk.
	gather = 10 * time.Millisecond
	// retryAfter is the time between attempts on a disk that fails.
	retryAfter = time.Second
)

// Log is an open audit log, safe for concurrent use.
type Log struct {
	path    string
	now     func() time.Time
	onError func(error) // called by fail only

	wake     chan struct{} // capacity 1: there is something to write
	urgent   chan struct{} // capacity 1: now
	done     chan struct{} // closed when the writing goroutine has ended
	closeErr error         // set before done is closed
	failure  atomic.Pointer[error]
	failures atomic.Uint64

	mu       sync.Mutex // guards all fields below
	pending  []entry
	dropped  int64         // since the last "dropped" entry
	dropping bool          // reported, and no attempt has cleared the queue since
	accepted int64         // entries ever put into pending
	durable  int64         // entries ever written and synced
	attempts int           // writes ever tried
	lastErr  error         // of the last attempt
	changed  chan struct{} // closed and replaced after each attempt
	closing  bool
}

// Open opens the log at path for appending and makes it if it is absent. The
// directory must exist and must be closed to other users.
func Open(path string, o Options) (*Log, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.Run == "" {
		var id [8]byte
		rand.Read(id[:])
		o.Run = hex.EncodeToString(id[:])
	}
	f, err := openAppend(path)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	w := writer{path: path, maxSize: cmp.Or(o.MaxSize, defaultMaxSize), file: f, chain: chain{run: o.Run, actor: o.Actor}}
	if err := w.prepare(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if len(o.Key) > 0 {
		w.chain.mac = hmac.New(sha256.New, o.Key)
	}
	l := &Log{
		path: path, now: o.Now, onError: o.OnError,
		wake:    make(chan struct{}, 1),
		urgent:  make(chan struct{}, 1),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	go l.write(&w)
	return l, nil
}

// Failures is the number of episodes in which the log could not be written or lost
// events. It may be called at any time.
func (l *Log) Failures() uint64 { return l.failures.Load() }

// fail begins an episode of failure.
func (l *Log) fail(err error) {
	l.failures.Add(1)
	l.onError(err)
}
