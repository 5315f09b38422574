// Package audit writes, reads and verifies the audit log: who used or changed which
// credential, when, and with what result. Callers must not pass it secrets; it
// removes queries from paths.
//
// The file contains JSON lines, written by any number of processes at once:
//
//	{"time":…,"run":…,"seq":1,"prev":"","event":"login",…,"mac":…}
//
// A run is one process. Its lines form a chain: seq counts from 1 without gaps, and
// prev is the SHA-256 of the run's previous line, in hex, without the newline. The
// chain ends with the event "end". If that is missing, the chain is still being
// written, or its process was killed, or its last lines were removed; the file does
// not show which. With a key, mac is the HMAC-SHA256, in hex, of the line up to and
// without `,"mac"`. Without a key the chain shows accidents but not forgery.
// Durations are in seconds. The beginning of a line is the torn end of a failed write,
// which was repeated in full, or of a crash. Empty lines mean nothing. Before the first
// line of a run, the file may have other text: a Python authsome wrote it.
//
// A full file is renamed to audit-TIME.log, and the chains continue in a new file.
// When there are too many archives, the process that makes one more deletes the
// oldest. It first adds a "retention" event to its chain, whose member deleted is the
// TIME of the newest archive that it deletes. The first line of a run in another file
// than its previous line has the member archived: the TIME of the newest archive that
// existed when the previous line's file was opened, or "none". So lines before it may
// be missing only if a retention event names a later time.
//
// [Log.Record] does not wait for the disk: it puts the event into a bounded queue.
// While the disk fails or stalls, the queue is kept and the write is retried. When
// the queue is full, events are counted instead of kept. This is reported at once,
// makes [Log.Err] fail, so that a caller that requires an audit trail can stop, and
// adds a "dropped" event with the count to the chain. The invariant: every event is
// in the file, or is counted there, or its chain has no end.
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

// errDropped reports that events were counted instead of written, because the
// queue was full.
var errDropped = errors.New("audit queue full: events are being dropped")

// errClosed reports that an event was recorded after Close, and is lost.
var errClosed = errors.New("audit log closed")

// Options configures a [Log].
type Options struct {
	Key     []byte           // authenticates the lines; if empty, lines have no MAC
	Actor   string           // written to each line; may be empty
	Run     string           // identifies the chain; if empty, a random one
	Now     func() time.Time // if nil, time.Now
	MaxSize int64            // at which the file is rotated, in bytes; 0 means 64 MiB
	Keep    int              // archives that are kept, as long as they are not larger than Keep × MaxSize; 0 means 15
	OnError func(error)      // called once for each failure, however long it lasts, from any goroutine; must not block
}

const (
	// queueLimit is the maximum number of queued events, about a second of a busy
	// proxy's requests.
	queueLimit = 8192
	// batchDelay is how long an event waits for others, so that they share a write.
	// A killed process loses at most the events of this time, on a healthy disk.
	batchDelay = 10 * time.Millisecond
	// retryAfter is the time between attempts while the disk fails.
	retryAfter = time.Second
)

// Log is an open audit log, safe for concurrent use.
type Log struct {
	path    string
	run     string
	now     func() time.Time
	onError func(error) // called by fail only

	wake     chan struct{} // capacity 1; something is queued
	urgent   chan struct{} // capacity 1; a caller waits for the write
	done     chan struct{} // closed when the writing goroutine has ended
	closeErr error         // set before done is closed
	failure  atomic.Pointer[error]
	failures atomic.Uint64

	mu       sync.Mutex // guards all fields below
	pending  []entry
	dropped  int64         // events since the last "dropped" entry
	dropping bool          // reported, until an attempt succeeds and nothing was dropped
	accepted int64         // entries put into pending, in total
	durable  int64         // entries written and synced, in total
	attempts int           // to write, in total
	lastErr  error         // of the last attempt
	changed  chan struct{} // closed and replaced after each attempt
	closing  bool
}

// Open opens the log at path for appending, and creates it if it does not exist.
// The directory must exist and must not be accessible to other users.
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
	opened := newestArchive(path)
	f, err := openAppend(path)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	w := writer{
		path: path, maxSize: cmp.Or(o.MaxSize, defaultMaxSize), keep: cmp.Or(o.Keep, defaultKeep),
		file: f, opened: opened, chain: chain{run: o.Run, actor: o.Actor},
	}
	w.rotateAt = w.maxSize
	if err := w.prepare(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if len(o.Key) > 0 {
		w.chain.mac = hmac.New(sha256.New, o.Key)
	}
	l := &Log{
		path: path, run: o.Run, now: o.Now, onError: o.OnError,
		wake:    make(chan struct{}, 1),
		urgent:  make(chan struct{}, 1),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	go l.writeLoop(&w) // ends in Close, which waits for it
	return l, nil
}

// Run returns the identifier of this process's chain, which is in each of its lines.
func (l *Log) Run() string { return l.run }

// Failures returns how often the log began to fail or to lose events. A failure
// counts once, however long it lasts.
func (l *Log) Failures() uint64 { return l.failures.Load() }

// fail counts and reports the beginning of a failure.
func (l *Log) fail(err error) {
	l.failures.Add(1)
	l.onError(err)
}
