//go:build unix

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/authsome/authsome/internal/audit"
)

// recoverFromFullDisk runs in a child process with a limit on file sizes, which acts
// like a full disk: the write that reaches the limit is short, and later ones fail.
func recoverFromFullDisk(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: old.Max}); err != nil {
		return err
	}
	var reports atomic.Int32
	l, err := audit.Open(path, audit.Options{Run: "r", Key: key, OnError: func(error) { reports.Add(1) }})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for range 3 {
		for range 20 {
			l.Record(audit.Event{Event: audit.Injection, Provider: "github"})
		}
		if err := l.Flush(ctx); !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("flush to a full disk: %v", err)
		}
		if err := l.Err(); !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("Err on a full disk: %v", err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := l.Flush(ctx); err != nil {
		return fmt.Errorf("flush after the disk has space again: %v", err)
	}
	if err := l.Err(); err != nil {
		return fmt.Errorf("Err after the disk has space again: %v", err)
	}
	if n := reports.Load(); n != 1 {
		return fmt.Errorf("%d reports of one failure", n)
	}

	// The disk is full again, and has space when the log is closed.
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(info.Size()) + 500, Max: old.Max}); err != nil {
		return err
	}
	l.Record(audit.Event{Event: audit.Injection, Path: strings.Repeat("p", 600)})
	if err := l.Flush(ctx); !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("second flush to a full disk: %v", err)
	}
	if n := reports.Load(); n != 2 {
		return fmt.Errorf("%d reports of two failures", n)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	l.Record(audit.Event{Event: audit.Injection})
	return l.Close()
}

func TestFullDiskLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if out, err := startChild(t, "limited", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	runs, torn := verify(t, mustRead(t, path), key)
	if got := len(runs["r"]); got != 63 || runs["r"][62].Event != "end" {
		t.Errorf("%d lines, want 62 events and the end", got)
	}
	if len(torn) != 2 {
		t.Errorf("torn lines %q, want the two that reached the limit", torn)
	}
}

func TestCloseOnFailingDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	var reports atomic.Int32
	l := mustOpen(t, "/dev/full", audit.Options{OnError: func(error) { reports.Add(1) }})
	l.Record(audit.Event{Event: audit.Login})
	if err := l.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close on a full disk: %v", err)
	}
	if n := reports.Load(); n != 1 {
		t.Errorf("%d reports, want 1", n)
	}
}

// stalledLog is a log that is a pipe without a reader, which acts like a disk that
// hangs.
type stalledLog struct {
	*audit.Log
	reader      *os.File
	dropReports atomic.Int32
	lateReports atomic.Int32 // of events after Close
	events      int64        // recorded
}

func openStalledLog(t *testing.T) *stalledLog {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := &stalledLog{reader: reader}
	l.Log = mustOpen(t, path, audit.Options{Run: "r", Key: key, OnError: func(err error) {
		switch {
		case errors.Is(err, audit.ErrDropped):
			l.dropReports.Add(1)
		case errors.Is(err, audit.ErrClosed):
			l.lateReports.Add(1)
		default:
			t.Errorf("OnError: %v", err)
		}
	}})
	return l
}

func (l *stalledLog) record(events int) {
	for range events {
		l.Record(audit.Event{Event: audit.Injection, Provider: "github"})
		l.events++
	}
}

// closeAndRead records events until Close has begun, and returns what Close wrote.
func (l *stalledLog) closeAndRead(t *testing.T) []byte {
	t.Helper()
	closed := make(chan error)
	go func() {
		err := l.Close()
		l.reader.Write([]byte{0}) // marks the end of the data
		closed <- err
	}()
	for l.lateReports.Load() == 0 {
		l.record(1)
		runtime.Gosched()
	}
	l.events-- // the last one was recorded after Close
	var data []byte
	for buf := make([]byte, 1<<16); len(data) == 0 || data[len(data)-1] != 0; {
		n, err := l.reader.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, buf[:n]...)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	return data[:len(data)-1]
}

func TestStalledDiskDropsAndCounts(t *testing.T) {
	l := openStalledLog(t)
	l.record(40_000)
	if err := l.Err(); !errors.Is(err, audit.ErrDropped) {
		t.Errorf("Err while dropping: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush to a stalled disk: %v", err)
	}
	l.record(10_000) // fills the queue again: the writer has taken the first events
	if n := l.dropReports.Load(); n != 1 {
		t.Errorf("%d reports of one failure", n)
	}
	data := l.closeAndRead(t)
	if err := l.Err(); err != nil {
		t.Errorf("Err after the disk works again: %v", err)
	}
	runs, torn := verify(t, data, key)
	var written, lost int64
	for _, line := range runs["r"] {
		switch line.Event {
		case audit.Injection:
			written++
		case "dropped":
			lost += line.Count
		}
	}
	if written+lost != l.events || lost == 0 || len(torn) != 0 {
		t.Errorf("%d written and %d counted as dropped, want %d together; torn %q", written, lost, l.events, torn)
	}
	if last := runs["r"][len(runs["r"])-1]; last.Event != "end" {
		t.Errorf("last event %q", last.Event)
	}
}
